#include "story.h"

#include <fmt/core.h>

#include "base/logging.h"

Story::Story(const session::Asked& asked) : identity_(asked.identity()) {
  logging::tell_of_session(fmt::format("Received connection request from {} {} command={}",
                                       asked.request.client.ip.text(), identity_,
                                       logging::escape(asked.request.command)));
}

void Story::connected(const session::Route& route, const HostPort& host, bool reused) {
  identity_ += " " + route.identity(host.text());
  logging::tell_of_session(fmt::format("Established SSH connection with server {} {}{}", host.text(), identity_,
                                       reused ? " reused=true" : ""));
}

void Story::closed(const std::string& why) const {
  const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
  logging::tell_of_session(
      fmt::format("Connection closed ({}) {} seconds={:.1f}", logging::told(why), identity_, seconds));
}
