#include "setup_proof.h"

#include <fcntl.h>
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
#include "session/rules.h"
#include "session/spool.h"
#include "setup_forward.h"
#include "setup_outsider.h"

namespace asperaproxy::setup {
namespace {

constexpr int kSeconds = 60;
constexpr std::size_t kMostOutput = 1024 * 1024;

void say(const std::string& name, const doctor::Verdict& verdict) {
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

// "asp-dial: why" without the name.
std::string last_of(std::string_view said) {
  const auto lines = cut::lines(said);
  std::string_view line = lines.empty() ? "nothing was said" : lines.back();
  if (const auto colon = line.find(": "); line.starts_with("asp") && colon != line.npos) line.remove_prefix(colon + 2);
  return std::string(line);
}

// --- logging in ------------------------------------------------------------------------------------

// Speaks SSH under the account that sessions have for it, with the key on a descriptor, as they do.
doctor::Verdict log_in(const session::Route& route, const HostPort& host) {
  constexpr int kKey = 3;
  const Fd key = fd::open(route.keyfile, O_RDONLY | O_NOCTTY);
  std::vector<std::string> argv{std::string(paths::kBin) + "asp-dial",
                                "-v",
                                "-I",
                                std::to_string(kKey),
                                "-n",
                                route.keyfile,
                                "-k",
                                route.known_hosts,
                                "-l",
                                route.upstream_user};
  if (route.old_algorithms) argv.emplace_back("-O");
  if (route.bind_source_address) argv.insert(argv.end(), {"-b", route.bind_source_address->text()});
  argv.insert(argv.end(), {host.text(), "--", "true"});
  const auto done = child::run({argv, env::allow({}), {{key.get(), kKey}}, accounts::identity_of(paths::kDialAccount)},
                               "", kMostOutput, kSeconds);
  for (const auto line : cut::lines(done.err)) {
    if (!line.starts_with("connected ")) continue;
    return doctor::ok(fmt::format("{} at {}, whose host key is {}", route.upstream_user, host.text(),
                                  status::parse(line).get("host_key")));
  }
  return doctor::fail(last_of(done.err), done.status == tool::not_permitted
                                             ? "the line for authorized_keys there is below"
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

doctor::Verdict tried_login(const session::Route& route, const HostPort& host) {
  try {
    return log_in(route, host);
  } catch (const tool::Failure& failure) {
    return doctor::fail(failure.what(), "mend that, and run asperaproxy setup again");
  }
}

std::vector<Login> all_logins(const config::Rproxy& rproxy, const Answers& answers) {
  auto users = doctor::examine().users;
  if (users.empty()) users.emplace_back();
  const session::rules::Facts facts{accounts::groups_of, {}};
  std::map<std::string, doctor::Verdict> known;
  std::vector<Login> logins;
  for (const auto& user : users) {
    for (const auto& address : answers.addresses) {
      const auto route = session::rules::first_match(rproxy, request(user, address), facts);
      if (!route || (route->keyfile_of_user && user.empty())) continue;
      for (const auto& host : route->hosts) {
        const std::string what = fmt::format("{} {} {}", route->upstream_user, route->keyfile, host.text());
        if (!known.contains(what)) known[what] = tried_login(*route, host);
        logins.push_back({user, address, route->rule, what, known[what]});
      }
    }
  }
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
    if (said.insert(login.what).second) say("login", login.verdict);
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
      kSeconds);
  auto verdict = judge_session(done.status, done.err);
  add_end(verdict, outsider.address());
  verdict.what = fmt::format("{} at {}: {}", user, HostPort{proxy.text(), doctor::kUsualSshPort}.text(), verdict.what);
  return verdict;
}

// "FAIL  ssh_port: nobody listens on TCP 33001 - ..." is about people outside, who do not come to a forward proxy.
bool is_of_reverse(std::string_view line) {
  constexpr std::string_view kNames[] = {
      "group:", "authorized_keys:", "sudo:", "sudoers:", "sshd:", "ssh_port:", "keyfile:", "host_keys:", "logins:"};
  const auto words = cut::words(line);
  return words.size() > 1 && std::find(std::begin(kNames), std::end(kNames), words[1]) != std::end(kNames);
}

// It logs in itself, and knows that not everybody may be meant to.
bool is_tried_here(std::string_view line) {
  const auto words = cut::words(line);
  return words.size() > 1 && (words[1] == "servers:" || words[1] == "logins:");
}

// What the doctor finds besides. True: nothing that fails.
bool is_sound(const Answers& answers) {
  const auto checked = doctor::ask({std::string(paths::kBin) + "asperaproxy", "check"});
  bool well = !checked.out.empty();
  for (const auto line : cut::lines(checked.out)) {
    if (line.starts_with("ok ") || is_tried_here(line) || (!answers.reverse() && is_of_reverse(line))) continue;
    io::write_all(STDOUT_FILENO, fmt::format("{}\n", line));
    well = well && !line.starts_with("FAIL ");
  }
  return well;
}

// True: it has not failed.
template <typename Trial>
bool tried(const char* name, Trial trial) {
  doctor::Verdict verdict;
  try {
    verdict = trial();
  } catch (const tool::Failure& failure) {
    verdict = doctor::fail(fmt::format("none could be tried from this host: {}", failure.what()),
                           "try it from where people are");
  }
  say(name, verdict);
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
