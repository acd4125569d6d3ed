#include "balance.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <limits>
#include <memory>

#include <fmt/core.h>

#include "decimal.h"
#include "fd.h"
#include "io.h"
#include "logging.h"
#include "paths.h"
#include "record.h"
#include "session.h"
#include "tool.h"

namespace balance {
namespace {

constexpr char kTurns[] = "balance/turns";
constexpr char kMarks[] = "balance/marks";
constexpr char kProbes[] = "balance/probes";

std::string in(const char* directory, const std::string& name) { return fmt::format("{}/{}/{}", paths::kRun, directory, name); }

std::chrono::seconds since_boot() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::seconds(now.tv_sec);
}

// FNV-1a. Two lists that share a number share their turns, which harms nobody.
std::string digest(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const unsigned char byte : text) hash = (hash ^ byte) * 0x100000001b3;
  return fmt::format("{:016x}", hash);
}

// Neither hosts nor accounts have a slash in them.
std::string file_name(const HostPort& host, const std::string& user) {
  constexpr std::size_t kLongest = 200;
  const std::string name = user.empty() ? host.text() : user + "@" + host.text();
  return name.size() <= kLongest ? name : digest(name);
}

std::optional<State> state_of(const std::string& name) {
  for (const auto state : {State::faulty, State::suspect, State::maintenance}) {
    if (name == name_of(state)) return state;
  }
  return std::nullopt;
}

// A mark is a reason of one line at most.
std::string plain(const std::string& reason) { return logging::escape(reason).substr(0, 512); }

Record to_record(const Mark& mark) {
  Record record;
  record.add("host", mark.host.text());
  if (!mark.user.empty()) record.add("user", mark.user);
  record.add("state", name_of(mark.state));
  record.add("since", mark.since);
  record.add("until", std::to_string(mark.until.count()));
  record.add("reason", mark.reason);
  record.add("by", mark.by);
  return record;
}

std::optional<Mark> from_record(const Record& record) {
  const auto host = HostPort::parse(record.require("host"));
  const auto state = state_of(record.require("state"));
  const auto until = parse_decimal(record.require("until"), 0, std::numeric_limits<long>::max());
  if (!host || !state || !until) return std::nullopt;
  return Mark{*host, record.get("user").value_or(""), *state, record.require("since"), std::chrono::seconds(*until), record.require("reason"), record.require("by")};
}

std::optional<Mark> read_mark(const std::string& name) {
  const Fd file(::open(in(kMarks, name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return std::nullopt;  // healed meanwhile
  try {
    return from_record(record::parse_one(io::read_all(file.get(), Record::kMaxBytes, name)));
  } catch (const tool::Failure& failure) {
    logging::error("Unreadable mark {}: {}", name, logging::escape(failure.what()));
    return std::nullopt;
  }
}

std::optional<Mark> mark_of(const HostPort& host, const std::string& user) { return read_mark(file_name(host, user)); }

void remove_mark(const HostPort& host, const std::string& user) { ::unlink(in(kMarks, file_name(host, user)).c_str()); }

bool contains(const std::vector<HostPort>& hosts, const HostPort& host) { return std::find(hosts.begin(), hosts.end(), host) != hosts.end(); }

}  // namespace

const char* name_of(State state) {
  switch (state) {
    case State::faulty: return "faulty";
    case State::suspect: return "suspect";
    case State::maintenance: return "maintenance";
  }
  return "";
}

bool Mark::over() const { return state != State::maintenance && since_boot() >= until; }
std::chrono::seconds Mark::left() const { return std::max(until - since_boot(), std::chrono::seconds(0)); }

void prepare() {
  for (const char* name : {"balance", kTurns, kMarks, kProbes}) spool::make_directory(name);
}

unsigned long take_turn(const std::string& key) {
  const std::string path = in(kTurns, digest(key));
  const Fd file = fd::open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
  if (::flock(file.get(), LOCK_EX) != 0) tool::fail_errno(tool::os, "lock " + path);
  char text[24] = {};
  const ssize_t length = ::pread(file.get(), text, sizeof text - 1, 0);
  const auto turn = parse_decimal({text, static_cast<std::size_t>(std::max<ssize_t>(length, 0))}, 0, std::numeric_limits<long>::max() - 1).value_or(0);
  // Digits never become fewer, so that one write leaves no rest of the old number.
  const std::string next = std::to_string(turn + 1);
  if (::pwrite(file.get(), next.data(), next.size(), 0) != static_cast<ssize_t>(next.size())) tool::fail_errno(tool::os, "write " + path);
  return static_cast<unsigned long>(turn);
}

std::vector<Mark> marks() {
  const std::string path = fmt::format("{}/{}", paths::kRun, kMarks);
  const std::unique_ptr<DIR, int (*)(DIR*)> opened(::opendir(path.c_str()), ::closedir);
  if (!opened && errno == ENOENT) return {};
  if (!opened) tool::fail_errno(tool::os, "open " + path);
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(opened.get())) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  std::sort(names.begin(), names.end());
  std::vector<Mark> found;
  for (const auto& name : names) {
    if (auto mark = read_mark(name)) found.push_back(std::move(*mark));
  }
  return found;
}

void set(const Mark& mark) {
  const std::string name = file_name(mark.host, mark.user);
  const std::string fresh = in(kMarks, fmt::format(".{}.{}", digest(name), ::getpid()));
  {
    const Fd file = fd::open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
    io::write_all(file.get(), to_record(mark).text());
  }
  if (::rename(fresh.c_str(), in(kMarks, name).c_str()) != 0) tool::fail_errno(tool::os, "rename " + fresh);
}

std::size_t heal(const HostPort& host) {
  std::size_t healed = 0;
  for (const auto& mark : marks()) {
    if (mark.host != host) continue;
    remove_mark(mark.host, mark.user);
    ++healed;
  }
  return healed;
}

Mark mark_now(const HostPort& host, State state, std::chrono::seconds duration, const std::string& reason, const std::string& by) {
  return {host, "", state, session::now(), since_boot() + duration, plain(reason), by};
}

// How a host stands for this session.
struct Choice::Standing {
  std::optional<Mark> mark;  // the one that counts; absent: none
  bool due = false;          // faulty, but its time has come
};

Choice::Choice(std::vector<HostPort> hosts, std::string user, std::chrono::seconds interval, std::string session)
    : hosts_(std::move(hosts)), user_(std::move(user)), interval_(interval), session_(std::move(session)) {
  if (hosts_.size() < 2) return;
  std::string key;
  for (const auto& host : hosts_) key += host.text() + ",";
  turn_ = take_turn(key);
}

Choice::Standing Choice::standing_of(const HostPort& host) const {
  bool due = false;
  for (const auto& user : {std::string(), user_}) {
    auto mark = mark_of(host, user);
    if (!mark) continue;
    const bool counts = hosts_.size() > 1 || mark->state == State::maintenance;
    if (!counts || (mark->over() && mark->state == State::suspect)) continue;
    if (!mark->over()) return {std::move(mark), false};
    due = true;
  }
  return {std::nullopt, due};
}

std::optional<HostPort> Choice::next() {
  probe_.reset();
  suspected_ = false;
  current_.reset();
  passed_over_.clear();
  std::vector<HostPort> good;
  std::vector<HostPort> suspects;
  for (const auto& host : hosts_) {
    if (contains(tried_, host)) continue;
    const Standing standing = standing_of(host);
    if (standing.mark) {
      if (standing.mark->state == State::suspect) suspects.push_back(host);
      else passed_over_.push_back(*standing.mark);
    } else if (!standing.due) {
      good.push_back(host);
    } else if (!current_) {
      if (probe_ = spool::Token::take(kProbes, file_name(host, "")); probe_) current_ = host;
    }
  }
  const auto& from = good.empty() ? suspects : good;
  if (!current_ && !from.empty()) current_ = from[turn_ % from.size()];
  if (current_) tried_.push_back(*current_);
  return current_;
}

// Suspicions end by themselves; one's own need not be waited for.
void Choice::clear_own_suspicion() {
  if (!suspected_ || !current_) return;
  const auto mark = mark_of(*current_, "");
  if (mark && mark->state == State::suspect && mark->by == session_) remove_mark(*current_, "");
  suspected_ = false;
}

void Choice::connected() {
  clear_own_suspicion();
  for (const auto& user : {std::string(), user_}) {
    if (const auto mark = mark_of(*current_, user); mark && mark->state == State::faulty) {
      remove_mark(*current_, user);
      logging::event("Server {} is back: no longer faulty session={}", current_->text(), session_);
    }
  }
  probe_.reset();
}

void Choice::suspect(std::chrono::seconds duration) {
  if (hosts_.size() < 2 || suspected_ || mark_of(*current_, "")) return;
  set(mark_now(*current_, State::suspect, duration, "no answer yet", session_));
  suspected_ = true;
}

void Choice::failed(const std::string& reason, Scope scope) {
  clear_own_suspicion();
  if (hosts_.size() > 1) {
    Mark mark = mark_now(*current_, State::faulty, interval_, reason, session_);
    if (scope == Scope::account) mark.user = user_;
    set(mark);
    logging::error("Marked server {}{} faulty for {} s: {} session={}", mark.user.empty() ? "" : mark.user + "@", current_->text(), interval_.count(),
                   mark.reason, session_);
  }
  probe_.reset();
}

void Choice::abandon() {
  clear_own_suspicion();
  probe_.reset();
}

bool Choice::given_up_by_others() const {
  if (hosts_.size() < 2 || probe_) return false;
  const auto mark = mark_of(*current_, "");
  return mark && mark->state == State::faulty && !mark->over();
}

}  // namespace balance
