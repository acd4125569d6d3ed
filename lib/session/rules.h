// session/rules: the <rule> of aspera.conf that applies to a request. The first match wins, top to
// bottom (guide, "Configure reverse proxy settings in aspera.conf").
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "session/request.h"
#include "session/route.h"

namespace config {
struct Rproxy;
struct Rule;
}  // namespace config

namespace session::rules {

struct Facts {
  // The groups of a user. Called only when some rule names groups.
  std::function<std::vector<std::string>(const std::string& user)> groups_of;
  // Gets a line for each rule: why it matched or not. May be empty.
  std::function<void(const std::string& line)> explain;
};

// Absent: no rule matches, or the reverse proxy is off.
//
// Hosts whose address is not of the client's family are left out: the kernel translates no UDP between
// IPv4 and IPv6. Hosts that are given by name stay; they have to be resolved to that family. When none
// is left, the rule matches but cannot serve: Failure{78}. Only when the command uses no UDP does such
// a rule lead to its hosts all the same.
std::optional<Route> first_match(const config::Rproxy& rproxy, const Request& request, const Facts& facts);

// Whether the rule can match that user, whatever address and name they come by.
bool is_for(const config::Rule& rule, const std::string& user, const Facts& facts);
// Where the rule leads that user, whatever address they come by: to all of its hosts.
Route route_for(const config::Rproxy& rproxy, const config::Rule& rule, const std::string& user);

// Why no rule may match this request, if that can be seen, as the end of a sentence: "; no rule has that
// address: …". Otherwise empty.
std::string hint(const config::Rproxy& rproxy, const Request& request);

// True if the name that the client asked for decides which rule applies, so that it has to be found
// out; `request.domain` is ignored. False when a rule that requires no name comes first, or no rule
// that requires one is for this address and user.
bool depends_on_domain(const config::Rproxy& rproxy, const Request& request, const Facts& facts);

// `$(user)` and `$(name)` in `path` become `user`.
std::string expand_user(const std::string& path, const std::string& user);

}  // namespace session::rules
