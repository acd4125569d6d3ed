// session/ending: end living sessions, control and data at once, by telling their holders.
//
// A holder (asp-pinhole) that gets SIGTERM takes its rule and flows away, and
// the conductor, which then has no holder, ends the SSH session.
#pragma once

#include <string>
#include <vector>

#include "session/session.h"

namespace session::ending {

// Who runs this, for the log: whom sudo(8) names, else who logged in, else who
// we are.
struct Invoker {
  std::string name;
  unsigned uid = 0;
};
Invoker invoker();

struct Outcome {
  std::vector<Session> ended;
  std::vector<std::string> remain;  // why not, one text for each that did not
};

// Ends all of `doomed`, logs each, and waits until they are gone: 5 seconds,
// and 0.1 s for each of them.
Outcome end(const std::vector<Session>& doomed, const Invoker& by);

}  // namespace session::ending
