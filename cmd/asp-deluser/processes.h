// processes: those of one user on this host.
#pragma once

#include <sys/types.h>

namespace processes {

// Ends all that run with one of `uid`'s rights, SIGTERM first. Those of a
// container or a chroot are not ours, whatever their number: they have another
// root directory. False when some are left after 10 s.
bool end_all_of(uid_t uid);

}  // namespace processes
