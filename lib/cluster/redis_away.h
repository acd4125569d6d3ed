// cluster/redis_away: whether Redis has just been found away, known to all processes of this node, so
// that a slow or missing Redis does not cost each session its patience. After a failure no process
// asks for kPause, and then one does.
//
// The file /run/sallyport/redis-away has the end of the pause, in ms of CLOCK_BOOTTIME.
#pragma once

#include <chrono>
#include <string>

namespace redis {

constexpr std::chrono::seconds kPause{5};

// True if Redis may be asked. When the pause is over, it is true for only one caller, who then reports
// the result.
bool may_ask();
// Redis was asked, and failed; the first time this is logged.
void note_away(const std::string& why);
// Redis was asked, and answered; logged if it was away.
void note_back();

}  // namespace redis
