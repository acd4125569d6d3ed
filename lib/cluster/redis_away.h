// cluster/redis_away: whether Redis has just been found away, known to all processes of this
// node, so that one that is slow or gone does not cost each session its patience:
// after a failure nobody asks for kPause, and then one does.
//
// In the file /run/sallyport/redis-away: until when, in ms of CLOCK_BOOTTIME.
#pragma once

#include <chrono>
#include <string>

namespace redis {

constexpr std::chrono::seconds kPause{5};

// Whether it makes sense to ask. True for one caller alone when the pause is over; he
// says afterwards what came of it.
bool may_ask();
// It was asked, and failed; the first time this is logged.
void note_away(const std::string& why);
// It was asked, and answered; logged if it was away.
void note_back();

}  // namespace redis
