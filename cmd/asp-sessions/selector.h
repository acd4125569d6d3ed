// selector: the sessions that an administrator selects.
//
//   3a9fd819-59c3-42bc-b0a2-d26304a1eb84
//   user=bear
//   client=198.51.100.10   client=198.51.100.10:51512   client=[2001:db8::1]:51512
//
// A client with a port matches the session whose SSH connection, or whose UDP flow,
// comes from there.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "base/address.h"
#include "session/session.h"

namespace sessions {

class Selector {
 public:
  // Failure{64} when `text` has none of these forms.
  static Selector parse(const std::string& text);
  bool matches(const session::Session& session) const;
  // The id, if one is given.
  std::optional<std::string> id() const;

 private:
  struct Id {
    std::string text;
  };
  struct User {
    std::string name;
  };
  std::variant<Id, User, IpAddress, Endpoint> what_;
};

}  // namespace sessions
