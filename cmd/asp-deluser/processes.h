// processes: ends the processes of one user on this host.
#pragma once

#include <sys/types.h>

namespace processes {

// Ends every process that has one of `uid`'s rights, by SIGTERM first. Processes of a container or a
// chroot are left alone, whatever their uid: they have another root directory. False when some are
// left after 10 s.
bool end_all_of(uid_t uid);

}  // namespace processes
