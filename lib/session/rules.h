// session/rules: which <rule> of aspera.conf applies to a request. First match wins,
// top to bottom (guide, "Configure reverse proxy settings in aspera.conf").
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "session/request.h"
#include "session/route.h"

namespace config {
struct Rproxy;
}

namespace session::rules {

struct Facts {
  // The groups of a user, asked only when some rule names groups.
  std::function<std::vector<std::string>(const std::string& user)> groups_of;
  // Gets a line a rule: why it matched or not. May be empty.
  std::function<void(const std::string& line)> explain;
};

// Absent: no rule matches, or the reverse proxy is off.
//
// Hosts whose address is not of the client's family are left out: the kernel
// translates no UDP between IPv4 and IPv6. Those that go by a name stay; they
// have to be resolved to that family. When nothing is left, the rule matches but
// cannot serve: Failure{78}. Where the command uses no UDP, and only then, such a
// rule leads to its hosts all the same.
std::optional<Route> first_match(const config::Rproxy& rproxy, const Request& request, const Facts& facts);

// Whether the name that the client asked for decides which rule applies, so that
// it is worth a look; `request.domain` is not looked at. False when a rule that
// asks for no name comes first, or none of those that do is for this address and
// user.
bool depends_on_domain(const config::Rproxy& rproxy, const Request& request, const Facts& facts);

// `$(user)` and `$(name)` in `path` become `user`.
std::string expand_user(const std::string& path, const std::string& user);

}  // namespace session::rules
