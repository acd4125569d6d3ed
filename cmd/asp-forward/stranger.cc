#include "stranger.h"

#include <fmt/core.h>

#include "base/terminal.h"
#include "http/node_client.h"
#include "known_proxies.h"

namespace forward::stranger {
namespace {

constexpr std::size_t kLongestAnswer = 64;

}  // namespace

bool accepted(const HostPort& proxy, const std::string& shown, Signals& signals) {
  std::optional<std::string> answer;
  {
    AskingTerminal terminal(kLongestAnswer, AskingTerminal::Echo::on);
    if (!terminal.is_there()) return false;
    answer = terminal.ask(fmt::format("No authority that is known here vouches for the certificate of {}.\n"
                                      "Its SHA-256 fingerprint is {}\n"
                                      "Is this the one that the administrator of the proxy gave you (yes/no)? ",
                                      proxy.text(), shown),
                          signals.fd());
  }
  if (!answer) {
    if (const auto caught = signals.take()) signals::end_by(caught->number);
  }
  if (answer != "yes")
    throw tool::Failure(tool::untrusted, fmt::format("the certificate of {} was not accepted", proxy.text()));
  known_proxies::remember(proxy, node_client::parse_fingerprint(shown).value());
  return true;
}

void explain_changed(const HostPort& proxy, const tool::Failure& failure) {
  std::string why = failure.what();
  constexpr std::string_view kGiven = ", not the one that was given";
  if (why.ends_with(kGiven)) why.erase(why.size() - kGiven.size());
  throw tool::Failure(
      tool::untrusted,
      fmt::format("{}, not the one that {} has; somebody may be in between. If the administrator of the "
                  "proxy confirms the new one: asp-forward --forget {}",
                  why, known_proxies::path(), proxy.text()));
}

}  // namespace forward::stranger
