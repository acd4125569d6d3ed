#include "firewall/iptables.h"

#include <unistd.h>

#include <set>
#include <utility>

#include <fmt/core.h>

#include "base/child.h"
#include "base/env.h"
#include "base/failure.h"
#include "base/logging.h"
#include "session/spool.h"

namespace firewall::iptables {
namespace {

using firewall::text::Family;

constexpr int kSeconds = 10;  // for one run of iptables, its own lock waited for
constexpr std::size_t kMaxOutput = 64 * 1024 * 1024;

child::Output run(std::vector<std::string> argv, const std::string& input) {
  return child::run({std::move(argv), env::allow({}), {}}, input, kMaxOutput, kSeconds);
}

std::string program(Family family, const char* suffix) {
  return fmt::format("/usr/sbin/{}{}", family == Family::v4 ? "iptables" : "ip6tables", suffix);
}

// Empty: done. Otherwise what iptables-restore said.
std::string try_restore(Family family, const std::string& text) {
  const auto answer = run({program(family, "-restore"), "--noflush", "--wait", "5"}, text);
  if (answer.status == 0) return {};
  return answer.err.empty() ? fmt::format("exit status {}", answer.status) : answer.err;
}

void restore(Family family, const std::string& text) {
  if (const auto why = try_restore(family, text); !why.empty()) {
    throw tool::Failure(tool::os, fmt::format("run {}: {}", program(family, "-restore"), why));
  }
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines(1);
  for (const char c : text) {
    if (c == '\n') lines.emplace_back();
    else lines.back() += c;
  }
  return lines;
}

std::vector<std::string> table_lines(Family family, const char* table) {
  const auto answer = run({program(family, ""), "--wait", "5", "-t", table, "-S"}, "");
  if (answer.status != 0)
    throw tool::Failure(tool::os, fmt::format("run {} -t {} -S: {}", program(family, ""), table, answer.err));
  return lines_of(answer.out);
}

// Empty when there is no such chain. Any other failure is one: rules that are
// there must not be taken for gone.
std::vector<std::string> chain_lines(Family family, const char* table, const std::string& chain) {
  const auto answer = run({program(family, ""), "--wait", "5", "-t", table, "-S", chain}, "");
  if (answer.status != 0) {
    const bool absent =
        answer.err.find("No chain") != std::string::npos || answer.err.find("incompatible") != std::string::npos;
    if (absent) return {};
    throw tool::Failure(tool::os, fmt::format("list chain {}: {}", chain, answer.err));
  }
  return lines_of(answer.out);
}

firewall::text::Standing standing(Family family) {
  return firewall::text::standing(table_lines(family, "nat"), table_lines(family, "filter"));
}

// Puts everything of ours as it should be, `session` in its present state
// included.
void lay_with(const Session& session) {
  std::vector<Session> all{session};
  for (auto& other : session::spool::living()) {
    if (other.id != session.id) all.push_back(std::move(other));
  }
  lay(firewall::text::family_of(session), all);
}

// Puts `text` in force, and the base before it if that is why it is refused.
void put_in_force(const Session& session, const std::string& text) {
  const auto why = try_restore(firewall::text::family_of(session), text);
  if (why.empty()) return;
  logging::debug1("Laying the base rules: {}", logging::escape(why));
  lay_with(session);
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
    if (firewall::text::is_session_rule(line)) rules.push_back({comment_of(line), line});
  }
  return rules;
}

// The rules in force, in the buckets of `session`, for which `chosen` answers true.
template <typename Chosen>
std::vector<Rule> list_beside(const Session& session, Chosen chosen) {
  std::vector<Rule> rules;
  for (const auto& chain : firewall::text::session_chains(session)) {
    for (auto& rule : rules_among(chain_lines(firewall::text::family_of(session), "nat", chain))) {
      if (chosen(rule)) rules.push_back(std::move(rule));
    }
  }
  return rules;
}

void remove(Family family, const std::vector<Rule>& rules) {
  if (rules.empty()) return;
  std::string text = "*nat\n";
  for (const auto& rule : rules) text += "-D" + rule.line.substr(2) + "\n";
  restore(family, text + "COMMIT\n");
}

// The rules of `session`, as iptables -S prints them.
std::set<std::string> lines_in_force(const Session& session) {
  std::set<std::string> lines;
  for (const auto& rule : firewall::text::rules_of(session)) lines.insert("-A " + rule);
  return lines;
}

}  // namespace

void open(const Session& session) {
  put_in_force(session, firewall::text::open(firewall::text::family_of(session), {session}));
}

void pin(const Session& session) {
  put_in_force(session, firewall::text::pin(firewall::text::family_of(session), {session}));
}

void close(const Session& session) {
  const Family family = firewall::text::family_of(session);
  if (try_restore(family, firewall::text::close(family, {session})).empty()) return;
  remove_all_of(session);  // flushed by somebody, or changed
}

void forget(const Session& session) {
  const std::string source = fmt::format("-s {}/{} ", session.client.ip.text(), session.client.ip.is_v4() ? 32 : 128);
  const std::string port = fmt::format("--sport {} ", session.flow->client.port);
  remove(firewall::text::family_of(session), list_beside(session, [&](const Rule& rule) {
           return rule.line.find(source) != std::string::npos && rule.line.find(port) != std::string::npos;
         }));
}

void offer(const Session& session) {
  std::string text = "*nat\n";
  for (const auto& rule : firewall::text::rules_of(session)) text += "-I " + rule + "\n";
  restore(firewall::text::family_of(session), text + "COMMIT\n");
}

void settle(const Session& session) {
  std::set<std::string> right = lines_in_force(session);
  remove(firewall::text::family_of(session), list_beside(session, [&](const Rule& rule) {
           return rule.comment == session.id && right.erase(rule.line) == 0;
         }));
}

void remove_all_of(const Session& session) {
  remove(firewall::text::family_of(session),
         list_beside(session, [&](const Rule& rule) { return rule.comment == session.id; }));
}

void lay(Family family, const std::vector<Session>& sessions) {
  restore(family, firewall::text::base(family, sessions, standing(family)));
}

Mended reconcile(Family family, const std::vector<Session>& sessions) {
  std::set<std::string> wanted;
  std::set<std::string> without_flow;  // may have offers besides their rule
  for (const auto& session : sessions) {
    if (firewall::text::is_for(session, family)) wanted.merge(lines_in_force(session));
    if (!session.flow) without_flow.insert(session.id);
  }
  const auto nat = table_lines(family, "nat");
  Mended mended;
  std::set<std::string> missing = wanted;
  mended.removed = rules_among(nat);
  std::erase_if(mended.removed, [&](const Rule& rule) {
    // Twice the same rule is one too many.
    return missing.erase(rule.line) != 0 || without_flow.contains(rule.comment);
  });
  mended.laid =
      !wanted.empty() && (!missing.empty() || firewall::text::judge_base(family, nat, table_lines(family, "filter")) !=
                                                  firewall::text::Base::present);
  if (mended.laid) lay(family, sessions);
  else remove(family, mended.removed);
  return mended;
}

std::set<std::string> served(Family family) {
  std::set<std::string> ids;
  for (const auto& rule : rules_among(table_lines(family, "nat"))) ids.insert(rule.comment);
  return ids;
}

firewall::text::Base look_at_base(Family family) {
  return firewall::text::judge_base(family, table_lines(family, "nat"), table_lines(family, "filter"));
}

bool is_installed(Family family) { return ::access(program(family, "-restore").c_str(), X_OK) == 0; }

bool accept(Family family) {
  using firewall::text::Base;
  const auto filter = table_lines(family, "filter");
  if (firewall::text::judge_accepting(filter) == Base::present) return false;
  restore(family, firewall::text::accepting(firewall::text::standing({}, filter)));
  return true;
}

bool purge(Family family) {
  using firewall::text::Base;
  const auto nat = table_lines(family, "nat");
  const auto filter = table_lines(family, "filter");
  const bool nothing = firewall::text::judge_base(family, nat, filter) == Base::absent &&
                       firewall::text::judge_accepting(filter) == Base::absent;
  if (!nothing) restore(family, firewall::text::purge(firewall::text::standing(nat, filter)));
  return !nothing;
}

}  // namespace firewall::iptables
