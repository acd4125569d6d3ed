// session/ending: ends living sessions, control and data at once, by telling their holders.
//
// A holder (asp-pinhole) that gets SIGTERM takes its rule and flows out. The conductor, which then has
// no holder, ends the SSH session.
#pragma once

#include <string>
#include <vector>

#include "session/session.h"

namespace session::ending {

// The person who runs this, for the log: the user that sudo(8) names, otherwise the user who logged
// in, otherwise our own.
struct Invoker {
  std::string name;
  unsigned uid = 0;
};
Invoker invoker();

struct Outcome {
  std::vector<Session> ended;
  std::vector<std::string> remain;  // one text for each that did not end, with the reason
};

// Ends all of `doomed`, logs each, and waits until they are gone: 5 seconds, and 0.1 s for each of
// them.
Outcome end(const std::vector<Session>& doomed, const Invoker& by);

}  // namespace session::ending
