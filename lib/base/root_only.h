// base/root_only: whether only root may change a file, a directory, or where a path leads.
//
//   way_complaint("/opt/keys/id_ed25519")   "others than root can write to /opt/keys"
//
// A file is root's if it belongs to root, and neither its group nor others may write to it; with
// an ACL, the group's bits are its mask, acl(5). A sticky directory such as /tmp is not.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>

namespace root_only {

bool is(const struct stat& status);

// The reason why the file at `path`, links followed, is not root's: "/etc/x is missing", "/etc/x does
// not belong to root". Absent: it is root's.
std::optional<std::string> complaint(const std::string& path);

// The same for every directory in which a part of the absolute `path` is looked up, also behind links:
// somebody who may write to one decides where the path leads. The last component is not examined, and
// need not exist.
std::optional<std::string> way_complaint(const std::string& path);

}  // namespace root_only
