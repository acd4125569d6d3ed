#include "balance/balance.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include <fmt/core.h>

#include "balance/marks.h"
#include "balance/shared.h"
#include "base/boot_clock.h"
#include "base/decimal.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/logging.h"
#include "base/paths.h"
#include "base/record.h"
#include "base/wall_clock.h"

namespace balance {
namespace {

constexpr char kTurns[] = "balance/turns";
constexpr char kProbes[] = "balance/probes";
constexpr char kAsking[] = "balance/asking";
constexpr char kBeside[] = "+";  // behind the account's name: the second session that asks
constexpr char kLetIn[] = "balance/let_in";
constexpr std::chrono::seconds kLetInLately{60};
constexpr std::chrono::seconds kKeptAfterItsTime{3600};  // for marks that nobody needs
constexpr time_t kWriterLivesSeconds = 60;               // the longest life of a process that writes a temporary file

std::string in(const char* directory, const std::string& name) {
  return fmt::format("{}/{}/{}", paths::kRun, directory, name);
}

// The reason of a mark is one line at most.
std::string plain(const std::string& reason) { return logging::escape(reason).substr(0, 512); }

// A suspicion is only as good as the session that waits.
bool counts(const Mark& mark) { return mark.state != State::suspect || is_probed(mark.host); }

std::vector<std::string> names_in(const char* directory) {
  auto names = session::spool::names_in(directory);
  std::sort(names.begin(), names.end());
  return names;
}

std::optional<Connection> connection_of(const std::string& note) {
  try {
    const Record record = record::parse_one(note);
    const auto host = HostPort::parse(record.require("host"));
    const auto rule = parse_decimal(record.require("rule"), 1, 1000000);
    if (host && rule) return Connection{record.require("session"), static_cast<int>(*rule), *host};
  } catch (const tool::Failure&) {  // it is not connected yet
  }
  return std::nullopt;
}

bool contains(const std::vector<HostPort>& hosts, const HostPort& host) {
  return std::find(hosts.begin(), hosts.end(), host) != hosts.end();
}

std::string key_of(const std::vector<HostPort>& hosts) {
  std::string key;
  for (const auto& host : hosts) key += host.text() + ",";
  return key;
}

// Absent: the file is new, or has no number.
std::optional<unsigned long> number_in(int fd) {
  char text[24];
  const ssize_t length = ::pread(fd, text, sizeof text, 0);
  if (length <= 0) return std::nullopt;
  const auto number = parse_decimal({text, static_cast<std::size_t>(length)}, 0, std::numeric_limits<long>::max() - 1);
  if (!number) return std::nullopt;
  return static_cast<unsigned long>(*number);
}

// The turn that take_turn would return.
unsigned long look_at_turn(const std::string& key) {
  const Fd file(::open(in(kTurns, digest(key)).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  return file ? number_in(file.get()).value_or(0) : 0;
}

bool let_in_lately(const std::string& account) {
  const Fd file(::open(in(kLetIn, account).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  const auto when = file ? number_in(file.get()) : std::nullopt;
  return when && boot_clock::seconds() - std::chrono::seconds(*when) < kLetInLately;
}

// Without the note the next session asks alone.
void note_let_in(const std::string& account) {
  const Fd file(::open(in(kLetIn, account).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  const std::string now = std::to_string(boot_clock::seconds().count());
  [[maybe_unused]] const ssize_t noted = ::pwrite(file.get(), now.data(), now.size(), 0);
}

}  // namespace

void prepare() {
  prepare_marks();
  for (const char* name : {kTurns, kProbes, kAsking, kLetIn}) session::spool::make_directory(name);
}

unsigned long take_turn(const std::string& key) {
  const std::string path = in(kTurns, digest(key));
  const Fd file = fd::open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
  fd::lock(file.get(), path);
  const auto turn = number_in(file.get());
  // The number never gets fewer digits, so one write leaves no rest of the old one. Only a broken or the
  // largest number needs to be truncated.
  if (!turn && ::ftruncate(file.get(), 0) != 0) tool::fail_errno(tool::os, "truncate " + path);
  const std::string next = std::to_string(turn.value_or(0) + 1);
  if (::pwrite(file.get(), next.data(), next.size(), 0) != static_cast<ssize_t>(next.size()))
    tool::fail_errno(tool::os, "write " + path);
  return turn.value_or(0);
}

std::vector<Mark> marks() {
  shared::update_all();
  auto found = all_marks();
  std::erase_if(found, [](const Mark& mark) { return !counts(mark); });
  return found;
}

Mark mark_now(const HostPort& host, State state, std::chrono::seconds duration, const std::string& reason,
              const std::string& by) {
  return {host, "", "", state, wall_clock::now(), boot_clock::seconds() + duration, plain(reason), plain(by)};
}

// The other nodes hear that it is healed before it is removed here: otherwise the next session here
// could hear of it from them.
bool heal_mark(const Mark& mark) {
  shared::tell_healed(mark);
  return remove_mark(mark_name(mark));
}

void share(const config::Cluster& cluster, Haste haste) { shared::begin(cluster, haste); }
void stop_sharing() { shared::end(); }
std::string not_shared() { return shared::failure(); }

void set(const Mark& mark) {
  write_mark(mark);
  shared::tell(mark);
}

std::size_t heal(const HostPort& host) {
  std::size_t healed = 0;
  for (const auto& mark : marks()) {
    if (mark.host == host && heal_mark(mark)) ++healed;
  }
  return healed;
}

bool is_probed(const HostPort& host) { return session::spool::is_held(kProbes, file_name(host.text())); }

void remove_fault_marks() {
  for (const auto& mark : all_marks()) {
    if (mark.state != State::maintenance) remove_mark(mark_name(mark));
  }
}

void sweep(const std::optional<std::vector<HostPort>>& named) {
  shared::update_all();
  for (const char* directory : {kProbes, kAsking}) {
    for (const auto& name : names_in(directory)) session::spool::Token::take(directory, name);
  }
  for (const auto& name : names_in(kLetIn)) {
    if (!let_in_lately(name)) ::unlink(in(kLetIn, name).c_str());
  }
  for (const auto& mark : all_marks()) {
    const bool forgotten = mark.over() && -mark.left() >= kKeptAfterItsTime;
    const bool unneeded = !mark.user.empty() || (named && !contains(*named, mark.host));
    if (!counts(mark) || (forgotten && unneeded)) remove_mark(mark_name(mark));
  }
  for (const auto& name : names_in(kMarks)) {
    struct stat status {};
    const std::string path = in(kMarks, name);
    if (!name.starts_with('.') || ::lstat(path.c_str(), &status) != 0) continue;
    if (std::abs(::time(nullptr) - status.st_mtime) >= kWriterLivesSeconds) ::unlink(path.c_str());
  }
}

void note_connected(session::spool::Token& dialer, const Connection& connection, const std::string& address) {
  Record record;
  record.add("session", connection.session);
  record.add("rule", std::to_string(connection.rule));
  record.add("host", connection.host.text());
  record.add("address", address);
  dialer.note(record.text());
}

std::vector<Connection> connections() {
  std::vector<Connection> found;
  for (const auto& note : session::spool::notes(session::spool::kDialers)) {
    if (auto connection = connection_of(note)) found.push_back(std::move(*connection));
  }
  return found;
}

Choice::Choice(const session::Route& route, std::string session, Turn turn)
    : hosts_(route.hosts),
      user_(route.upstream_user),
      keyfile_(route.keyfile),
      own_key_(route.keyfile_of_user),
      interval_(route.faulty_interval),
      patience_(route.connect_timeout),
      session_(std::move(session)) {
  const auto shared_turn =
      shared::is_on() ? shared::update(mark_names(), is_alone() ? "" : key_of(hosts_), turn) : std::nullopt;
  if (is_alone()) return;
  if (shared_turn) turn_ = *shared_turn;
  else turn_ = turn == Turn::take ? take_turn(key_of(hosts_)) : look_at_turn(key_of(hosts_));
}

// The names of the marks that matter for this session.
std::vector<std::string> Choice::mark_names() const {
  std::vector<std::string> names;
  for (const auto& host : hosts_) {
    names.push_back(mark_name(State::maintenance, host));
    if (is_alone()) continue;
    names.push_back(mark_name(State::faulty, host));
    names.push_back(mark_name(State::faulty, host, user_, keyfile_));
  }
  return names;
}

Standing Choice::standing_of(const HostPort& host) const {
  HeededMarks marks;
  marks.maintenance = read_mark(mark_name(State::maintenance, host));
  marks.refused = read_mark(mark_name(State::refused, host, user_, keyfile_));
  if (!is_alone()) {
    marks.faulty = read_mark(mark_name(State::faulty, host));
    marks.faulty_for_account = read_mark(mark_name(State::faulty, host, user_, keyfile_));
    const auto suspect = read_mark(mark_name(State::suspect, host));
    marks.suspect = suspect && counts(*suspect);
  }
  return judge(marks, boot_clock::seconds());
}

std::optional<HostPort> Choice::next() {
  release();
  gave_way_ = false;
  current_.reset();
  passed_over_.clear();
  std::vector<HostPort> untried;
  std::vector<Rank> ranks;
  for (const auto& host : hosts_) {
    if (contains(tried_, host)) continue;
    Standing standing = standing_of(host);
    std::optional<session::spool::Token> probe;
    // Another session may have tried it meanwhile.
    if (standing.due && !probe_ && (probe = session::spool::Token::take(kProbes, file_name(host.text())))) {
      standing = standing_of(host);
      standing.suspect = false;  // the probe is held by us
    }
    untried.push_back(host);
    ranks.push_back(rank_of(standing, probe.has_value(), contains(left_, host)));
    if (ranks.back() == Rank::retry) probe_ = std::move(probe);
    if (standing.excluded_by) passed_over_.push_back(*standing.excluded_by);
  }
  const auto picked = pick(ranks, turn_);
  patient_ = !picked || ranks[*picked] == Rank::last_resort;
  if (!picked) return std::nullopt;
  current_ = untried[*picked];
  tried_.push_back(*current_);
  return current_;
}

// Who asks beside another looks only then whether the account was let in lately: a refusal is noted before its session
// gives its leave back.
bool Choice::take_leave_to_ask(const std::string& account) {
  const std::string beside = account + kBeside;
  if (!asking_) asking_ = session::spool::Token::take(kAsking, account);
  if (asking_) return let_in_lately(account) || !session::spool::is_held(kAsking, beside);
  auto second = session::spool::Token::take(kAsking, beside);
  if (second && let_in_lately(account)) asking_ = std::move(second);
  return asking_.has_value();
}

Choice::May Choice::may_ask() {
  const std::string account = account_name(*current_, user_, keyfile_);
  if (!counts_refusals() || (!own_key_ && let_in_lately(account))) return May::yes;
  const bool its_turn = take_leave_to_ask(account);
  const Standing standing = standing_of(*current_);
  if (!standing.excluded_by && (patient_ || probe_ || !standing.suspect)) return its_turn ? May::yes : May::wait;
  asking_.reset();
  std::erase(tried_, *current_);
  return May::no;
}

bool Choice::has_alternative() const {
  return std::any_of(hosts_.begin(), hosts_.end(), [&](const HostPort& host) {
    if (contains(tried_, host) || contains(left_, host)) return false;
    const Standing standing = standing_of(host);
    return standing.good() || (standing.due && !is_probed(host));
  });
}

bool Choice::waits_though_silent() {
  if (is_alone() || patient_ || suspects_) return true;
  if (!probe_) probe_ = session::spool::Token::take(kProbes, file_name(current_->text()));
  if (probe_) {
    set_or_log(mark_now(*current_, State::suspect, patience_, "it does not answer", session_));
    suspects_ = true;
    logging::event("Server {} does not answer: this session waits for it, others go elsewhere session={}",
                   current_->text(), session_);
    return true;
  }
  patient_ = !has_alternative();
  if (patient_) return true;
  std::erase(tried_, *current_);
  left_.push_back(*current_);
  gave_way_ = true;
  return false;
}

bool Choice::given_up_by_others() {
  if (is_alone() || probe_) return false;
  const auto mark = read_mark(mark_name(State::faulty, *current_));
  gave_way_ = mark && !mark->over();
  return gave_way_;
}

// The suspicion is removed before the lock, so that it is never taken for that of the next holder.
void Choice::release() {
  if (suspects_) remove_mark(mark_name(State::suspect, *current_));
  suspects_ = false;
  probe_.reset();
  asking_.reset();
}

// Failing to record a mark must not end the session.
void Choice::set_or_log(const Mark& mark) const {
  try {
    set(mark);
  } catch (const tool::Failure& failure) {
    logging::error("Could not mark {} {}: {} session={}", logging::field(mark.target()), name_of(mark.state),
                   logging::told(failure.what()), session_);
  }
}

void Choice::connected(bool logged_in) {
  for (const auto& name : {mark_name(State::faulty, *current_), mark_name(State::faulty, *current_, user_, keyfile_),
                           mark_name(State::refused, *current_, user_, keyfile_)}) {
    const auto mark = read_mark(name);
    if (mark && heal_mark(*mark))
      logging::event("Server {} is back: no longer {} session={}", logging::field(mark->target()), name_of(mark->state),
                     session_);
  }
  if (logged_in && counts_refusals()) note_let_in(account_name(*current_, user_, keyfile_));
  release();
}

void Choice::failed(const std::string& reason, blame::Mark what) {
  const bool of_account = what == blame::Mark::account;
  if (of_account && counts_refusals()) note_refusal(reason);
  else if (what != blame::Mark::nothing && !is_alone() && !gave_way_) mark_faulty(reason, of_account);
  release();
}

void Choice::mark_faulty(const std::string& reason, bool for_account) {
  Mark mark = mark_now(*current_, State::faulty, interval_, reason, session_);
  if (for_account) std::tie(mark.user, mark.keyfile) = std::tie(user_, keyfile_);
  const auto there = read_mark(mark_name(mark));
  if (there && !there->over()) return;
  set_or_log(mark);
  logging::error("Marked server {} faulty for {} s: {} session={}", logging::field(mark.target()), interval_.count(),
                 logging::without_fields(mark.reason), session_);
}

void Choice::note_refusal(const std::string& reason) {
  ::unlink(in(kLetIn, account_name(*current_, user_, keyfile_)).c_str());
  Mark mark = mark_now(*current_, State::refused, std::chrono::seconds(0), reason, session_);
  std::tie(mark.user, mark.keyfile) = std::tie(user_, keyfile_);
  const MarksLock lock;
  const auto before = read_mark(mark_name(mark));
  mark.failures = (before ? before->failures : 0) + 1;
  const auto pause = blame::pause_after(mark.failures, interval_);
  mark.until += pause;
  set_or_log(mark);
  if (pause.count() > 0)
    logging::event("Server {} is left out for {} s: it has refused {} log-ins in a row session={}",
                   logging::field(mark.target()), pause.count(), mark.failures, session_);
}

}  // namespace balance
