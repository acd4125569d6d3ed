#include "firewall/iptables.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <set>
#include <utility>

#include <fmt/core.h>

#include "base/child.h"
#include "base/env.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/logging.h"
#include "base/paths.h"
#include "session/spool.h"

namespace firewall::iptables {
namespace {

using text::Family;

// Seconds for one run of iptables, and for its own lock therein. After one that hung nobody waits so long for half a
// minute, unless iptables works again: whoever runs it has the firewall's lock, and others stand in line for that.
struct Patience {
  int whole;
  int lock;
};
constexpr Patience kPatience{10, 5};
constexpr Patience kAfterOneHung{2, 1};
constexpr std::chrono::seconds kHungLately{30};
constexpr std::size_t kMaxOutput = 64 * 1024 * 1024;
constexpr char kLegacyTables[] = "/proc/net/ip_tables_names";
constexpr char kLegacyTables6[] = "/proc/net/ip6_tables_names";

// Its age is that of the last hung run that had the whole time.
std::string hung_note() { return std::string(paths::kRun) + "/iptables_hung"; }

bool hung_lately() {
  struct stat note {};
  return ::stat(hung_note().c_str(), &note) == 0 && std::abs(::time(nullptr) - note.st_mtime) < kHungLately.count();
}

void note_hung() {
  const Fd note(::open(hung_note().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (note) ::futimens(note.get(), nullptr);
}

// Failure{75}: it hangs, or somebody else has its lock.
child::Output run(const std::string& program, const std::vector<std::string>& options, const std::string& input) {
  const bool impatient = hung_lately();
  const Patience patience = impatient ? kAfterOneHung : kPatience;
  std::vector<std::string> argv{program, "--wait", std::to_string(patience.lock)};
  argv.insert(argv.end(), options.begin(), options.end());
  try {
    auto answer = child::run({std::move(argv), env::allow({}), {}}, input, kMaxOutput, patience.whole);
    if (answer.status != 0 && answer.err.find("holding the xtables lock") != std::string::npos)
      throw tool::Failure(tool::temporary,
                          fmt::format("{}: somebody else has had the xtables lock for {} s", program, patience.lock));
    if (impatient) ::unlink(hung_note().c_str());
    return answer;
  } catch (const tool::Failure& failure) {
    if (failure.code() == tool::temporary && !impatient) note_hung();
    throw;
  }
}

std::string program(Family family, const char* suffix = "") {
  return fmt::format("/usr/sbin/{}{}", family == Family::v4 ? "iptables" : "ip6tables", suffix);
}

// Empty: it succeeded. Otherwise the message of iptables-restore. `iptables` is the program's path, here and below.
std::string try_restore(const std::string& iptables, const std::string& input) {
  const auto answer = run(iptables + "-restore", {"--noflush"}, input);
  if (answer.status == 0) return {};
  return answer.err.empty() ? fmt::format("exit status {}", answer.status) : answer.err;
}

void restore(const std::string& iptables, const std::string& input) {
  if (const auto why = try_restore(iptables, input); !why.empty())
    throw tool::Failure(tool::os, fmt::format("run {}-restore: {}", iptables, why));
}

std::vector<std::string> lines_of(const std::string& output) {
  std::vector<std::string> lines(1);
  for (const char c : output) {
    if (c == '\n') lines.emplace_back();
    else lines.back() += c;
  }
  return lines;
}

std::vector<std::string> table_lines(const std::string& iptables, const char* table) {
  const auto answer = run(iptables, {"-t", table, "-S"}, "");
  if (answer.status != 0)
    throw tool::Failure(tool::os, fmt::format("run {} -t {} -S: {}", iptables, table, answer.err));
  return lines_of(answer.out);
}

// All that is ours in one iptables.
struct Tables {
  std::vector<std::string> nat;
  std::vector<std::string> filter;

  explicit Tables(const std::string& iptables)
      : nat(table_lines(iptables, "nat")), filter(table_lines(iptables, "filter")) {}
  // Of those that are `there`: to ask the legacy one for another would make it, or fail.
  Tables(const std::string& iptables, const std::set<std::string>& there) {
    if (there.contains("nat")) nat = table_lines(iptables, "nat");
    if (there.contains("filter")) filter = table_lines(iptables, "filter");
  }
  text::Standing standing() const { return text::standing(nat, filter); }
  bool empty() const {
    using text::Base;
    return text::judge_base(nat, filter) == Base::absent && text::judge_accepting(filter) == Base::absent;
  }
};

// A host has iptables twice, for nf_tables and for the kernel's older tables, each with rules of its own; the
// alternative `iptables` is one of them, and an administrator may switch it.
struct Other {
  std::string program;
  std::set<std::string> tables;  // that it has
};

// Absent: there is no other, or it has no tables.
std::optional<Other> other_of(Family family) {
  std::error_code ignored;
  const std::string here = std::filesystem::canonical(program(family), ignored).filename();
  if (here == "xtables-legacy-multi") return Other{program(family, "-nft"), {"nat", "filter"}};
  if (here != "xtables-nft-multi") return std::nullopt;
  const Fd names(::open(family == Family::v4 ? kLegacyTables : kLegacyTables6, O_RDONLY | O_CLOEXEC));
  if (!names) return std::nullopt;
  const auto lines = lines_of(io::read_all(names.get(), 4096, "the names of tables"));
  return Other{program(family, "-legacy"), {lines.begin(), lines.end()}};
}

// Removes what is ours in the other iptables. False: there was nothing.
bool leave_other(Family family) {
  const auto other = other_of(family);
  if (!other || ::access(other->program.c_str(), X_OK) != 0) return false;
  const Tables found(other->program, other->tables);
  if (found.empty()) return false;
  restore(other->program, text::purge(found.standing()));
  logging::event("Removed the rules from {}: another iptables is in use now",
                 std::filesystem::path(other->program).filename().string());
  return true;
}

void lay_all(Family family, const std::vector<session::Session>& sessions) {
  restore(program(family), text::base(family, sessions, Tables(program(family)).standing()));
  leave_other(family);
}

std::vector<session::Session> others(const session::Session& session) {
  auto all = session::spool::living();
  std::erase_if(all, [&](const session::Session& other) { return other.id == session.id; });
  return all;
}

// Lays everything of ours as it should be, including `session` in its present state.
void lay_with(Family family, const session::Session& session) {
  auto all = others(session);
  all.push_back(session);
  lay_all(family, all);
}

// Puts `input`, the rules of `session`, in force. If they are refused because the base is missing,
// lays that first.
void put_in_force(Family family, const session::Session& session, const std::string& input) {
  const auto why = try_restore(program(family), input);
  if (why.empty()) return;
  logging::debug1("Laying the base rules: {}", logging::escape(why));
  lay_with(family, session);
}

// Moves the rules of `sessions` here, of both families, if the other iptables has any of ours.
void follow_switch(const std::vector<session::Session>& sessions) {
  for (const auto family : {Family::v4, Family::v6}) {
    const bool used = std::any_of(sessions.begin(), sessions.end(),
                                  [&](const session::Session& session) { return text::is_for(session, family); });
    if (leave_other(family) && used) lay_all(family, sessions);
  }
}

std::string comment_of(const std::string& line) {
  constexpr std::string_view kOption = "--comment ";
  const auto at = line.find(kOption);
  if (at == line.npos) return {};
  const auto start = at + kOption.size();
  return line.substr(start, line.find(' ', start) - start);
}

std::vector<Rule> rules_among(const std::vector<std::string>& lines) {
  std::vector<Rule> rules;
  for (const auto& line : lines) {
    if (text::is_session_rule(line)) rules.push_back({comment_of(line), line});
  }
  return rules;
}

void remove(Family family, const std::vector<Rule>& rules) {
  if (rules.empty()) return;
  std::string input = "*nat\n";
  for (const auto& rule : rules) input += "-D" + rule.line.substr(2) + "\n";
  restore(program(family), input + "COMMIT\n");
}

// Removes the rules in force, in whichever of our chains, for which `chosen` returns true. A helper of an older
// release, which lives on, may have put back the chains that it knows.
template <typename Chosen>
void remove_those(Family family, Chosen chosen) {
  std::vector<Rule> rules;
  for (const auto& line : table_lines(program(family), "nat")) {
    const Rule rule{comment_of(line), line};
    if (line.starts_with("-A SALLYPORT") && chosen(rule)) rules.push_back(rule);
  }
  remove(family, rules);
}

// The rules of `session`, as iptables -S prints them.
std::set<std::string> lines_in_force(const session::Session& session) {
  std::set<std::string> lines;
  for (const auto& rule : text::rules_of(session)) lines.insert("-A " + rule);
  return lines;
}

class Iptables : public Backend {
 public:
  explicit Iptables(Family family) : family_(family) {}

  const char* name() const override { return family_ == Family::v4 ? "IPv4" : "IPv6"; }
  bool is_installed() const override { return ::access(program(family_, "-restore").c_str(), X_OK) == 0; }

  void open(const session::Session& session) override {
    put_in_force(family_, session, text::open(family_, {session}));
  }

  void pin(const session::Session& session) override { put_in_force(family_, session, text::pin(family_, {session})); }

  void close(const session::Session& session) override {
    if (try_restore(program(family_), text::close(family_, {session})).empty()) return;
    close_all(session);  // somebody flushed or changed them, or has another iptables now
    follow_switch(others(session));
  }

  std::optional<std::chrono::seconds> renewal() const override { return std::nullopt; }
  void renew(const session::Session&) override {}  // nothing expires

  void offer(const session::Session& session) override {
    close_flow(session);
    std::string input = "*nat\n";
    for (const auto& rule : text::rules_of(session)) input += "-I " + rule + "\n";
    restore(program(family_), input + "COMMIT\n");
  }

  void settle(const session::Session& session) override {
    std::set<std::string> right = lines_in_force(session);
    remove_those(family_, [&](const Rule& rule) { return rule.comment == session.id && right.erase(rule.line) == 0; });
  }

  void close_all(const session::Session& session) override {
    remove_those(family_, [&](const Rule& rule) { return rule.comment == session.id; });
  }

  void close_flow(const session::Session& session) override {
    if (text::family_of(session) != family_) return;
    const std::string source = fmt::format("-s {}/{} ", session.client.ip.text(), session.client.ip.is_v4() ? 32 : 128);
    const std::string port = fmt::format("--sport {} ", session.flow->client.port);
    remove_those(family_, [&](const Rule& rule) {
      return rule.line.find(source) != std::string::npos && rule.line.find(port) != std::string::npos;
    });
  }

  Mended reconcile(const std::vector<session::Session>& sessions) override;
  void lay(const std::vector<session::Session>& sessions) override { lay_all(family_, sessions); }

  std::set<std::string> find_served(const std::vector<session::Session>&) override {
    std::set<std::string> ids;
    for (const auto& rule : rules_among(table_lines(program(family_), "nat"))) ids.insert(rule.comment);
    return ids;
  }

  text::Base inspect_base() override {
    const Tables found(program(family_));
    return text::judge_base(found.nat, found.filter);
  }

  bool purge() override {
    const bool left = leave_other(family_);
    const Tables found(program(family_));
    if (found.empty()) return left;
    restore(program(family_), text::purge(found.standing()));
    return true;
  }

 private:
  const Family family_;
};

Mended Iptables::reconcile(const std::vector<session::Session>& sessions) {
  std::set<std::string> wanted;
  std::set<std::string> without_flow;  // these may have offers besides their rule
  for (const auto& session : sessions) {
    if (text::is_for(session, family_)) wanted.merge(lines_in_force(session));
    if (!session.flow) without_flow.insert(session.id);
  }
  const Tables found(program(family_));
  Mended mended;
  std::set<std::string> missing = wanted;
  mended.removed = rules_among(found.nat);
  std::erase_if(mended.removed, [&](const Rule& rule) {
    // A repeated rule is one too many.
    return missing.erase(rule.line) != 0 || without_flow.contains(rule.comment);
  });
  mended.outdated = found.standing().outdated();
  mended.laid =
      !wanted.empty() && (!missing.empty() || text::judge_base(found.nat, found.filter) != text::Base::present);
  if (mended.laid || mended.outdated) {
    lay(sessions);
  } else {
    remove(family_, mended.removed);
    leave_other(family_);
  }
  return mended;
}

}  // namespace

Backend& backend(Family family) {
  static Iptables v4(Family::v4);
  static Iptables v6(Family::v6);
  return family == Family::v4 ? v4 : v6;
}

bool lay_accepting(Family family) {
  const auto filter = table_lines(program(family), "filter");
  if (text::judge_accepting(filter) == text::Base::present) return false;
  restore(program(family), text::accepting(text::standing({}, filter)));
  return true;
}

}  // namespace firewall::iptables
