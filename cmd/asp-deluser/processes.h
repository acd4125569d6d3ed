// processes: ends the processes of one user on this host.
//
// Theirs is every process that has one of their four user ids, and every process in a user namespace that they made
// (`unshare -Ur`, newuidmap), whatever its user id, its root directory or its other namespaces.
//
// A process with their user id whose root directory, in our user namespace, is another is not the user's doing:
// only root can arrange that. It may be a service of a container, which has that number by chance. It is left alone,
// and told.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace processes {

// Ends all of `uid`, by SIGTERM first, and after 3 s by SIGKILL. Absent: there is none any more. Otherwise, after
// 10 s, which is left: "process 4711 (sleep), which has the account's uid, is in a container: end that, and run this
// again".
std::optional<std::string> end_all_of(uid_t uid);

}  // namespace processes
