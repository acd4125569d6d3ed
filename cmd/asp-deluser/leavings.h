// leavings: what a user may leave behind beside processes and the home directory, and what the next account of that
// name would take for its own.
#pragma once

#include <sys/types.h>

#include <string>

namespace leavings {

// Removes what starts processes by itself: the crontab, jobs of at(1), and that systemd lets the user linger.
void remove_starters(const std::string& name, uid_t uid);

// Removes what lives in memory: files in /dev/shm, and message queues, semaphores and shared memory of both kinds. The
// user has no processes any more.
void remove_memory(uid_t uid);

}  // namespace leavings
