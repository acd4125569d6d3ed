#include "setup_proof.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <set>
#include <thread>

#include <fmt/core.h>

#include "base/accounts.h"
#include "base/cut.h"
#include "base/env.h"
#include "base/failure.h"
#include "base/io.h"
#include "base/paths.h"
#include "base/signals.h"
#include "base/status.h"
#include "config/config.h"
#include "doctor.h"
#include "judge.h"
#include "login_trial.h"
#include "session/rules.h"
#include "session/spool.h"
#include "setup_forward.h"
#include "setup_node.h"
#include "setup_outsider.h"

namespace asperaproxy::setup {
namespace {

constexpr int kSessionSeconds = 60;

void say_verdict(const std::string& name, const doctor::Verdict& verdict) {
  io::write_all(STDOUT_FILENO, doctor::text({{name, verdict}}));
}

session::Request request(const std::string& user, const IpAddress& proxy) {
  return {user.empty() ? "nobody" : user,
          {proxy, 1},
          {proxy, doctor::kUsualSshPort},
          std::nullopt,
          "asperaproxy setup",
          true};
}

// "asp-cp: why" without the name.
std::string last_of(std::string_view said) {
  const auto lines = cut::lines(said);
  std::string_view line = lines.empty() ? "it gave no reason" : lines.back();
  if (const auto colon = line.find(": "); line.starts_with("asp") && colon != line.npos) line.remove_prefix(colon + 2);
  return std::string(line);
}

// --- logging in ------------------------------------------------------------------------------------

doctor::Verdict verdict_of(const login_trial::Login& login, const login_trial::Outcome& outcome) {
  using What = login_trial::Outcome::What;
  using balance::blame::Party;
  const std::string host = login.host.text();
  if (outcome.what == What::logged_in)
    return doctor::ok(fmt::format("{} at {}, whose host key is {}", login.route.upstream_user, host, outcome.host_key));
  const bool named = outcome.reason.find(host) != std::string::npos;
  const bool refused = outcome.party == Party::account || outcome.party == Party::key;
  return doctor::fail(
      named ? outcome.reason : fmt::format("{} at {}: {}", login.route.upstream_user, host, outcome.reason),
      outcome.what == What::not_tried ? "asperaproxy check"
      : refused                       ? "the line for authorized_keys there is below"
                                      : "the ports that firewalls have to let through are below");
}

// What became of one user at one address, and at one of the servers that this leads to.
struct Login {
  std::string user;  // empty: everybody is squashed, and there is nobody yet
  IpAddress address;
  int rule;
  std::string what;  // account, key and server: what one user finds, all find
  doctor::Verdict verdict;
  bool well() const { return verdict.grade == doctor::Grade::ok; }
};

// Each user whom a rule sends somewhere, at each address. What several have in common is tried once.
std::vector<Login> all_logins(const config::Rproxy& rproxy, const Answers& answers) {
  auto users = doctor::examine().users;
  if (users.empty()) users.emplace_back();
  const session::rules::Facts facts{accounts::groups_of, {}};
  std::vector<Login> logins;
  std::vector<login_trial::Login> trials;
  std::map<std::string, std::size_t> known;
  for (const auto& user : users) {
    for (const auto& address : answers.addresses) {
      const auto route = session::rules::first_match(rproxy, request(user, address), facts);
      if (!route || (route->keyfile_of_user && user.empty())) continue;
      const passwd* const account = ::getpwnam(user.empty() ? "nobody" : user.c_str());
      for (const auto& host : route->hosts) {
        const std::string what = fmt::format("{} {} {}", route->upstream_user, route->keyfile, host.text());
        if (account && known.emplace(what, trials.size()).second)
          trials.push_back({*route, host, account->pw_name, account->pw_uid});
        if (account) logins.push_back({user, address, route->rule, what, {}});
      }
    }
  }
  const auto outcomes = login_trial::try_all(trials);
  for (auto& login : logins) login.verdict = verdict_of(trials[known[login.what]], outcomes[known[login.what]]);
  return logins;
}

// By a rule that lets each keep the own name, not everybody may be meant to get in, but somebody.
void excuse(std::vector<Login>& logins) {
  for (auto& login : logins) {
    const bool others = std::any_of(logins.begin(), logins.end(), [&](const Login& other) {
      return other.rule == login.rule && other.user != login.user && other.well();
    });
    if (!login.well() && others) login.verdict.grade = doctor::Grade::warn;
  }
}

std::vector<Login> log_in_everywhere(const config::Rproxy& rproxy, const Answers& answers) {
  auto logins = all_logins(rproxy, answers);
  excuse(logins);
  std::set<std::string> said;
  for (const auto& login : logins) {
    if (said.insert(login.what).second) say_verdict("login", login.verdict);
  }
  return logins;
}

// Who gets in at that address; the one who was asked for, if possible. Empty: nobody.
std::string visitor(const std::vector<Login>& logins, const IpAddress& address, const std::string& preferred) {
  std::string user;
  for (const auto& login : logins) {
    if (login.address != address || !login.well()) continue;
    if (user.empty() || login.user == preferred) user = login.user;
  }
  return user;
}

// --- a session --------------------------------------------------------------------------------------

bool is_over(const IpAddress& client) {
  const auto living = session::spool::living();
  return std::none_of(living.begin(), living.end(),
                      [&](const session::Session& session) { return session.client.ip == client; });
}

// Whatever comes of it, the rule is gone soon after.
void add_end(doctor::Verdict& verdict, const IpAddress& client) {
  const auto deadline = Deadline::in(std::chrono::seconds(10));
  while (!is_over(client)) {
    if (deadline.over()) {
      verdict = doctor::fail(verdict.what + "; its pinhole has not closed within 10 s", "asp-sessions");
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

doctor::Verdict session_of(const std::string& user, const IpAddress& proxy) {
  const SignalsPutOff put_off({SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP});  // so that nothing of it is left
  const Outsider outsider(proxy);
  const Guest guest(user, outsider.address());
  const std::string at = HostPort{proxy.text(), 0}.text();
  // The server may send more than a host's name.
  const auto done = outsider.run(
      {"/usr/bin/prlimit", "--fsize=65536", "--", std::string(paths::kBin) + "asp-cp", "-q", "-F",
       guest.folder() + "/ssh_config", "-i", guest.folder() + "/key", "-P", std::to_string(doctor::kUsualSshPort),
       fmt::format("{}@{}:/etc/hostname", user, at), guest.folder() + "/fetched"},
      kSessionSeconds);
  auto verdict = judge_session(done.status, done.err);
  add_end(verdict, outsider.address());
  verdict.what = fmt::format("{} at {}: {}", user, HostPort{proxy.text(), doctor::kUsualSshPort}.text(), verdict.what);
  return verdict;
}

// What the doctor finds besides: not the log-ins, which were tried here, and nothing of people outside where none come.
// True: nothing that fails.
bool is_sound(const Answers& answers) {
  std::string without = "servers,logins";
  if (answers.direction == Direction::forward)
    without += ",group,authorized_keys,sudo,sudoers,sshd,ssh_port,keyfile,host_keys";
  constexpr int kPatience = 150;  // of the doctor's own limits several may be reached
  try {
    const auto checked =
        child::run({{std::string(paths::kBin) + "asperaproxy", "check", "--without", without}, env::allow({}), {}}, "",
                   kMostOutput, kPatience);
    if (checked.out.empty()) say_verdict("check", doctor::fail(last_of(checked.err), "asperaproxy check"));
    for (const auto line : cut::lines(checked.out)) {
      if (!line.starts_with("ok ")) io::write_all(STDOUT_FILENO, fmt::format("{}\n", line));
    }
    return checked.status == 0;
  } catch (const tool::Failure& failure) {
    say_verdict("check", doctor::fail(failure.what(), "asperaproxy check"));
    return false;
  }
}

// True: it has not failed.
template <typename Trial>
bool tried(const char* name, Trial trial) {
  doctor::Verdict verdict;
  try {
    verdict = trial();
  } catch (const tool::Failure& failure) {
    verdict = doctor::fail(fmt::format("none could be tried from this host: {}", failure.what()),
                           "try it from a user's machine");
  }
  say_verdict(name, verdict);
  return verdict.grade != doctor::Grade::fail;
}

}  // namespace

doctor::Verdict judge_session(int status, std::string_view said) {
  const auto has = [&](std::string_view words) { return said.find(words) != said.npos; };
  const std::string opened = "a session opened its pinhole and closed it";
  if (has("no asp-cp on the server"))
    return doctor::warn(opened + "; no datagram was sent, since the server has no asp-cp to answer it",
                        "try a transfer with the program that the server has");
  if (has("no UDP path"))
    return doctor::fail(opened + ", but no datagram came back",
                        "the inner firewall has to let UDP through, see below; or asp-cp is not let in on the server");
  // The file is asked for when a datagram has come back.
  if (status == tool::yes || status == tool::io) return doctor::ok(opened + "; datagrams went to the server and back");
  // The proxy's own sentence comes before asp-cp's.
  return doctor::fail(last_of(said.substr(0, said.find('\n'))),
                      "asperaproxy check; journalctl -t sshd -t sshd-session -t aspshell -t ascp_rproxy");
}

Proof prove(const Answers& answers) {
  if (answers.node()) {
    const bool well = is_sound(answers);
    return {true, tried("transfer", [&] { return transfer_of(answers); }) && well};
  }
  const auto rproxy = config::load(paths::kConfig, config::Author::root).rproxy;
  const auto logins = answers.reverse() ? log_in_everywhere(rproxy, answers) : std::vector<Login>{};
  const bool let_in = std::none_of(logins.begin(), logins.end(),
                                   [](const Login& login) { return login.verdict.grade == doctor::Grade::fail; });
  bool well = is_sound(answers) && let_in;
  // Where the log-in is refused, a session would be counted against the account.
  for (const auto& address : answers.addresses) {
    const std::string user = visitor(logins, address, answers.user);
    if (!user.empty()) well = tried("session", [&] { return session_of(user, address); }) && well;
  }
  if (answers.forward()) well = tried("lease", [&] { return lease_of(answers); }) && well;
  return {let_in, well};
}

}  // namespace asperaproxy::setup
