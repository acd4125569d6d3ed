// balance/types: the types that balance and its parts have in common; see balance/balance.h.
#pragma once

#include <chrono>
#include <string>

#include "base/address.h"

namespace balance {

enum class State {
  faulty,       // it failed; passed over until its time is over
  suspect,      // it does not answer, and a session waits for it; valid while that session does
  maintenance,  // an administrator set it; until it is healed
  refused,      // the server lets one account with one key not in, and is not asked again for a while
};
const char* name_of(State state);
// Whether the other nodes of a cluster are told of such a mark.
constexpr bool is_shared(State state) { return state == State::faulty || state == State::maintenance; }

struct Mark {
  HostPort host;
  std::string user;     // empty: for all accounts
  std::string keyfile;  // with user: whose key it is that the host refuses
  State state = State::faulty;
  std::string since;              // RFC 3339
  std::chrono::seconds until{0};  // since boot; meaningless for maintenance
  std::string reason;
  std::string by;              // a session's id, or the administrator
  unsigned long failures = 0;  // refused: how many log-ins in a row

  // True if its time is over, at `now` (boot_clock::seconds()): the next session may try the host.
  bool over(std::chrono::seconds now) const { return state != State::maintenance && now >= until; }
  bool over() const;
  // The time left until then; negative afterwards.
  std::chrono::seconds left() const;
  // "10.0.0.10:22", or "xfer@10.0.0.10:22".
  std::string target() const { return user.empty() ? host.text() : user + "@" + host.text(); }
};

// Who waits for Redis; share() decides by that how long.
enum class Haste { session, administrator };

// Whether a turn is taken, or only looked at.
enum class Turn { take, look };

}  // namespace balance
