// fault, heal: an administrator takes a server out of service, and back.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "balance/balance.h"
#include "base/failure.h"
#include "base/io.h"
#include "base/logging.h"
#include "base/options.h"
#include "base/paths.h"
#include "config/config.h"
#include "session/ending.h"
#include "session/spool.h"
#include "verbs.h"

namespace asperaproxy {
namespace {

constexpr char kFaultUsage[] = "asperaproxy fault HOST[:PORT] [REASON...]";
constexpr char kHealUsage[] = "asperaproxy heal HOST[:PORT]";

HostPort parse(const std::string& text, const char* usage) {
  auto host = HostPort::parse(text);
  if (!host) options::fail_usage(usage, fmt::format("{}: not a host", text));
  if (host->port == 0) host->port = 22;
  return *host;
}

// A mark for a host that no rule leads to would do nothing, so a mistyped name would not be noticed.
void require_named(const HostPort& host, const config::Rproxy& rproxy) {
  std::vector<std::string> names;
  for (const auto& rule : rproxy.rules) {
    for (const auto& each : rule.hosts) {
      if (each == host) return;
      if (std::find(names.begin(), names.end(), each.text()) == names.end()) names.push_back(each.text());
    }
  }
  std::string listed;
  for (const auto& name : names) listed += (listed.empty() ? "" : ", ") + name;
  throw tool::Failure(tool::bad_input, fmt::format("{}: no rule of {} leads there; they lead to {}", host.text(),
                                                   paths::kConfig, listed.empty() ? "none" : listed));
}

// A host can be healed even when aspera.conf is wrong.
void share_if_known() {
  try {
    balance::share(config::load(paths::kConfig, config::Author::root).cluster, balance::Haste::administrator);
  } catch (const tool::Failure& failure) {
    logging::debug1("Cannot tell whether there is a cluster: {}", logging::escape(failure.what()));
  }
}

// The mark is in force here even if the other nodes of a cluster could not be told.
int told_others() {
  const std::string why = balance::not_shared();
  if (why.empty()) return tool::yes;
  std::fputs(fmt::format("asperaproxy: on this node alone, until Redis is back: {}\n", logging::escape(why)).c_str(),
             stderr);
  return tool::temporary;
}

std::size_t sessions_on(const HostPort& host) {
  const auto connections = balance::connections();
  return static_cast<std::size_t>(
      std::count_if(connections.begin(), connections.end(), [&](const auto& each) { return each.host == host; }));
}

}  // namespace

int fault(const std::vector<std::string>& words) {
  if (words.empty()) options::fail_usage(kFaultUsage, "a host is needed");
  const HostPort host = parse(words[0], kFaultUsage);
  std::string reason;
  for (auto word = words.begin() + 1; word != words.end(); ++word) reason += (reason.empty() ? "" : " ") + *word;
  if (reason.empty()) reason = "by hand";
  require_root();
  const auto config = config::load(paths::kConfig, config::Author::root);
  require_named(host, config.rproxy);
  session::spool::prepare();
  balance::prepare();
  balance::share(config.cluster, balance::Haste::administrator);
  const auto by = session::ending::invoker();
  const auto mark = balance::mark_now(host, balance::State::maintenance, std::chrono::seconds(0), reason, by.name);
  balance::set(mark);
  logging::event("Server {} is taken out of service: {} by={} uid={}", host.text(), mark.reason,
                 logging::field(by.name), by.uid);
  const std::size_t left = sessions_on(host);
  io::write_all(STDOUT_FILENO, fmt::format("{}: no new sessions go there until asperaproxy heal {}; {} {} left\n",
                                           host.text(), host.text(), left, left == 1 ? "is" : "are"));
  return told_others();
}

// A host that no rule names any more can be healed, too.
int heal(const std::vector<std::string>& words) {
  if (words.size() != 1) options::fail_usage(kHealUsage, "one host is needed");
  const HostPort host = parse(words[0], kHealUsage);
  require_root();
  share_if_known();
  if (balance::heal(host) == 0) {
    require_named(host, config::load(paths::kConfig, config::Author::root).rproxy);
    io::write_all(STDOUT_FILENO, fmt::format("{}: nothing to do, it is in service\n", host.text()));
    return told_others();
  }
  const auto by = session::ending::invoker();
  logging::event("Server {} is back in service by={} uid={}", host.text(), logging::field(by.name), by.uid);
  io::write_all(STDOUT_FILENO, fmt::format("{}: new sessions go there again\n", host.text()));
  return told_others();
}

}  // namespace asperaproxy
