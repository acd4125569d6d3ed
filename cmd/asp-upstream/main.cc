// asp-upstream: connects one session to an internal server, with a key that its user cannot read;
// asp-upstream(8).
//
// sudo runs it, as root, for the proxy's users. It takes no arguments and believes nobody: sudo tells
// who calls, the kernel tells from where, and aspera.conf, read here once more, tells which servers,
// which account, which key and which commands that user may have. asp-dial speaks SSH, under an
// account of its own that has no other rights.
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <set>

#include <fmt/core.h>

#include "attempt.h"
#include "balance/balance.h"
#include "balance/blame.h"
#include "base/accounts.h"
#include "base/confine.h"
#include "base/confine_phases.h"
#include "base/logging.h"
#include "base/paths.h"
#include "base/privilege.h"
#include "base/status.h"
#include "base/tool.h"
#include "conductor_link.h"
#include "config/config.h"
#include "config/log_place.h"
#include "session/keepers.h"
#include "session/keyfile.h"
#include "session/request.h"
#include "session/rules.h"
#include "session/spool.h"
#include "session/trial.h"
#include "story.h"
#include "who/caller.h"
#include "who/command_line.h"

namespace {

[[noreturn]] void refuse(const std::string& why) { throw tool::Failure(tool::not_permitted, why); }

session::Route route_for(const config::Rproxy& rproxy, const session::Request& request) {
  const auto route = session::rules::first_match(rproxy, request, {accounts::groups_of, [](const std::string& line) {
                                                                     logging::debug1("{}", logging::escape(line));
                                                                   }});
  if (route) return *route;
  std::string name;
  if (request.domain) name = ", who asks for " + request.domain->text();
  else if (session::rules::depends_on_domain(rproxy, request, {accounts::groups_of, {}}))
    name = ", who asks for no name";
  refuse(fmt::format("no rule matches {} at {}{} (see asp-match -e){}", request.user, request.proxy.text(), name,
                     session::rules::hint(rproxy, request)));
}

// aspshell has accepted the command already, but somebody who broke out of it could call us directly.
command_line::Words words_of(const config::Config& config, const std::string& command) {
  const auto words = command_line::split(command);
  if (!words || words->empty()) refuse("the command line is not understood");
  if (!command_line::find(*words, command_line::built_in()) && !command_line::find(*words, config.aspshell_commands)) {
    refuse(fmt::format("the command is not on the list of aspshell: {}", command.substr(0, 200)));
  }
  return *words;
}

std::string hosts_of(const std::vector<balance::Mark>& marks) {
  std::string text;
  for (const auto& mark : marks)
    text += fmt::format("{}{} ({}: {})", text.empty() ? "" : ", ", mark.host.text(), balance::name_of(mark.state),
                        logging::unescape(mark.reason));
  return text;
}

// The route that was taken, and what asp-dial, which hears the server, may add.
status::Line connected(const session::Route& route, const HostPort& host, const Attempt& attempt) {
  status::Line line{"connected", {}};
  line.with("rule", std::to_string(route.rule)).with("host", host.text()).with("upstream_user", route.upstream_user);
  line.with("address", attempt.address());
  for (const char* name : {"host_key", "connect_ms", "handshake_ms", "login_ms"})
    line.with(name, attempt.connected().get(name));
  if (attempt.connected().get("reused") == "true") line.with("reused", "true");
  return line;
}

// Everything of this session that a connection depends on. Taken before and after aspera.conf is read,
// so that an edit in between never matches.
session::keepers::Terms terms_of(const session::Route& route, const caller::Caller& caller, int family,
                                 const session::keyfile::File& key, const std::string& config) {
  Record terms;
  terms.add("user", caller.user);
  terms.add("uid", std::to_string(caller.uid));
  terms.add("family", std::to_string(family));
  terms.add("config", config + " " + session::keepers::identity_of(paths::kConfig));
  terms.add("key", key.identity);
  terms.add("enrolled", session::keepers::identity_of(route.known_hosts));
  terms.add("dialer", session::keepers::identity_of(std::string(paths::kBin) + "asp-dial"));
  const Record whole = route.to_record();
  for (const auto& [name, value] : whole.fields()) terms.add(name, value);
  return {caller.user, route.rule, terms.text()};
}

session::keepers::Terms with_host(session::keepers::Terms terms, const HostPort& host) {
  terms.text.insert(0, fmt::format("to={}\n", host.text()));
  return terms;
}

// The session goes on even if the connection cannot be kept; a line in the log says so.
Attempt start_dialing(const Attempt::Errand& errand, const HostPort& host,
                      const std::optional<session::keepers::Terms>& terms) {
  if (!terms) return Attempt::dial(errand, host);
  try {
    if (auto place = session::keepers::Place::make(*terms))
      return Attempt::dial_and_keep(errand, host, std::move(*place));
  } catch (const tool::Failure& failure) {
    logging::error("The connection to {} is not kept: {}", host.text(), logging::escape(failure.what()));
  }
  return Attempt::dial(errand, host);
}

// Failure{74, 75} when the link ends.
void pause(std::chrono::milliseconds time, balance::Choice& choice, ConductorLink& link) {
  const auto deadline = Deadline::in(time);
  while (!link.ended() && !deadline.over()) link.wait(-1, deadline);
  if (!link.ended()) return;
  choice.abandon();
  throw link.end();
}

// False: the host is not to be asked; others of the account have met something there meanwhile.
bool await_leave_to_ask(balance::Choice& choice, ConductorLink& link) {
  using May = balance::Choice::May;
  constexpr std::chrono::milliseconds kLookAgain{20};
  const auto deadline = Deadline::in(Attempt::kOthersTime);
  for (;;) {
    const auto may = choice.may_ask();
    if (may != May::wait || deadline.over()) return may != May::no;
    pause(kLookAgain, choice, link);
  }
}

// Absent: there is no kept connection, or it is dead. Nothing was read from the client.
std::optional<Attempt> reuse(const Attempt::Errand& errand, const std::optional<session::keepers::Terms>& terms,
                             balance::Choice& choice, ConductorLink& link) {
  while (auto hold = terms ? session::keepers::take(*terms) : std::nullopt) {
    auto attempt = Attempt::reuse(errand, std::move(*hold));
    const auto failure = attempt.await_connected(choice, link);
    if (!failure) return attempt;
    attempt.discard();
    logging::debug1("A kept connection cannot be used: {}", logging::escape(failure->failure.what()));
  }
  return std::nullopt;
}

// Absent: `attempt` is connected.
std::optional<Attempt::Trouble> dial(std::optional<Attempt>& attempt, const Attempt::Errand& errand,
                                     const HostPort& host, const std::optional<session::keepers::Terms>& terms,
                                     balance::Choice& choice, ConductorLink& link) {
  logging::debug1("Tries server {} as {}", host.text(), logging::escape(errand.route.upstream_user));
  attempt.emplace(start_dialing(errand, host, terms));
  using balance::blame::Again;
  auto trouble = attempt->await_connected(choice, link);
  if (!trouble || trouble->verdict.again == Again::no) return trouble;
  attempt.reset();
  if (trouble->verdict.again == Again::soon) pause(Attempt::kSoon, choice, link);
  logging::debug1("Tries server {} once more: {}", host.text(), logging::escape(trouble->failure.what()));
  attempt.emplace(start_dialing(errand, host, terms));
  return attempt->await_connected(choice, link);
}

// What a session found on its way through the servers, for its last word.
struct Outcome {
  std::optional<tool::Failure> last;  // with the server's name
  std::set<balance::blame::Party> parties;
};

// None is left, or would do better.
[[noreturn]] void give_up(const session::Route& route, Outcome& outcome,
                          const std::vector<balance::Mark>& passed_over) {
  using balance::blame::Party;
  if (outcome.last && route.hosts.size() == 1) throw *outcome.last;
  auto wait = std::chrono::seconds::max();
  for (const auto& mark : passed_over) {
    outcome.parties.insert(mark.user.empty() ? Party::server : Party::account);
    wait = std::min(wait, std::max(mark.left(), std::chrono::seconds(1)));
  }
  const bool of_account = outcome.parties == std::set{Party::account};
  const std::string reasons = fmt::format("{}{}{}{}", passed_over.empty() ? "" : ": ", hosts_of(passed_over),
                                          outcome.last ? "; just now " : "", outcome.last ? outcome.last->what() : "");
  if (of_account && !outcome.last)
    throw tool::Failure(tool::temporary,
                        fmt::format("the servers of rule {} are not asked again yet{}", route.rule, reasons),
                        fmt::format("The server behind this proxy has refused this account again and again. Try again "
                                    "in {} seconds.",
                                    wait.count()));
  // One sentence fits all of them.
  if (outcome.last && (of_account || outcome.parties == std::set{Party::client}))
    throw tool::Failure(outcome.last->code(), fmt::format("no server of rule {} can be used{}", route.rule, reasons),
                        outcome.last->told());
  throw tool::Failure(tool::temporary, fmt::format("all servers of rule {} are faulty{}", route.rule, reasons),
                      "None of the servers behind this proxy can be reached right now. Try again later.");
}

// Tries hosts until one is connected. Not one byte of the client's stream is read before the command
// runs, so trying the next one is safe.
Attempt connect(const session::Route& route, const session::Asked& asked, const command_line::Words& words,
                const caller::Caller& caller, const std::string& config, session::spool::Token& dialer,
                ConductorLink& link, Story& story) {
  const std::string& session = asked.session;
  // Its UDP can only be translated within one family.
  const int family = asked.request.udp ? asked.request.client.ip.family() : AF_UNSPEC;
  const session::keyfile::File key = session::keyfile::read(route, caller.user, caller.uid);
  const Attempt::Errand errand{route, family, key.text, words, link.descriptors()};
  balance::Choice choice(route, session);
  Outcome outcome;
  while (const auto host = choice.next()) {
    std::optional<session::keepers::Terms> terms;
    if (route.upstream_reuse) terms = with_host(terms_of(route, caller, family, key, config), *host);
    auto attempt = reuse(errand, terms, choice, link);
    const bool reused = attempt.has_value();
    if (!reused && !await_leave_to_ask(choice, link)) continue;
    const auto trouble = reused ? std::nullopt : dial(attempt, errand, *host, terms, choice, link);
    if (!trouble) {
      choice.connected(!reused);
      balance::note_connected(dialer, {session, route.rule, *host}, attempt->address());
      story.connected(route, *host, reused);
      link.say(connected(route, *host, *attempt));
      return std::move(*attempt);
    }
    const auto& [failure, verdict] = *trouble;
    choice.failed(failure.what(), verdict.mark);
    outcome.last.emplace(failure.code(), fmt::format("server {}: {}", host->text(), failure.what()), failure.told());
    outcome.parties.insert(verdict.party);
    if (!verdict.next) throw *outcome.last;
    link.say(status::Line{"faulty", {}}
                 .with("host", host->text())
                 .with("fault", balance::blame::name_of(verdict.party))
                 .with("reason", failure.what()));
  }
  give_up(route, outcome, choice.passed_over());
}

// The doctor's question, which takes the place of a request.
int answer_doctor(ConductorLink& link) {
  const auto record = link.await_record();
  if (!record) return tool::yes;
  if (!session::trial::is_question(*record)) refuse("asperaproxy has no session");
  link.say(session::trial::answer(paths::kDialAccount));
  return tool::yes;
}

// Whom the log is to name, as far as they are known.
struct Client {
  std::string name;      // of sudo
  std::string identity;  // of a request whose caller is verified
  bool connected = false;
};

// All that the kernel can tell about the caller comes before anything is read, so that nobody has more helpers
// than sessions of sshd.
int serve(ConductorLink& link, Client& client) {
  const uid_t uid = privilege::sudo_uid();
  logging::set_user(uid);
  caller::require_own_descriptors(uid);
  link.require_socket();
  session::spool::prepare();
  balance::prepare();
  session::keepers::prepare();
  if (caller::is_doctor()) return answer_doctor(link);
  caller::Caller caller = caller::find(uid);
  auto token = session::spool::Token::take(session::spool::kDialers, caller.process.token());
  if (!token) refuse("the session has an upstream connection already");
  link.depend_on(caller);
  const auto record = link.await_record();
  if (!record) return tool::yes;
  const session::Asked asked = session::Asked::from_record(*record);
  caller::verify(caller, asked.request.client, asked.request.proxy);
  link.keep_vigil(asked.session);
  if (asked.request.user != caller.user) refuse(fmt::format("{} asks for {}", caller.user, asked.request.user));
  client.identity = " " + asked.identity();
  session::spool::check_admission();
  const std::string config_file = session::keepers::identity_of(paths::kConfig);
  const auto config = config::load(paths::kConfig, config::Author::root);
  config::log_place::follow(config.rproxy);
  logging::set_context("session=" + asked.session);
  Story story(asked);
  const auto words = words_of(config, asked.request.command);
  const session::Route route = route_for(config.rproxy, asked.request);
  confine::keep_capabilities(confine::kVerifiedUpstream);
  confine::forbid_dangerous();
  link.say(status::Line{"verified", {}}
               .with("rule", std::to_string(route.rule))
               .with("within", std::to_string(Attempt::longest(route).count())));
  balance::share(config.cluster, balance::Haste::session);
  Attempt attempt = connect(route, asked, words, caller, config_file, *token, link, story);
  client.connected = true;
  balance::stop_sharing();  // a session may live for days
  link.release_descriptors();
  confine::keep_capabilities(confine::kConnectedUpstream);
  confine::allow_only({confine::kConnectedUpstreamCalls, {AF_UNIX, AF_NETLINK}, attempt.dialer()});
  try {
    const int status = attempt.relay(link);
    if (link.deserted()) throw link.end();
    story.closed(attempt.end());
    return status;
  } catch (const tool::Failure& failure) {
    story.closed(failure.what());
    throw;
  }
}

int run(int argc, char**) {
  privilege::leave_limits();
  privilege::keep_only({"SUDO_UID", "SUDO_USER", "TERM"});
  privilege::ignore_terminal();
  ConductorLink link;
  Client client;
  const char* sudo_user = std::getenv("SUDO_USER");
  client.name = sudo_user ? sudo_user : "?";
  try {
    if (argc != 1) throw tool::Failure(tool::usage, "asp-upstream takes no arguments");
    return serve(link, client);
  } catch (const tool::Failure& failure) {
    config::log_place::follow();
    const std::string line = fmt::format(
        "{} {}: {}{} (exit {})", client.connected ? "Ends the session of" : "No server for",
        logging::escape(client.name), logging::told(failure.what()), client.identity, static_cast<int>(failure.code()));
    // It is not a failure that a client leaves.
    if (failure.code() == tool::io) logging::event("{}", line);
    else if (!failure.logged()) logging::error("{}", line);
    link.say(status::failed(failure.as_logged()));
    if (!link.is_heard()) std::fprintf(stderr, "%s\n", logging::escape(failure.what()).c_str());
    return failure.code();
  }
}

}  // namespace

int main(int argc, char** argv) {
  return tool::guard("asp-upstream", "asp-upstream", run, argc, argv, tool::Audience::operators);
}
