// changes: as_mkdir, as_rm, as_mv and as_cp; and as_md5sum, which reads a file as as_cp does. All throw Trouble.
#pragma once

#include <string>

#include "base/rooted.h"

namespace ascmd {

void make_directory(const Rooted& root, const std::string& path);

// A directory with all that is in it. A link is removed, and never followed. What cannot be removed ends it.
void remove(const Rooted& root, const std::string& path);

// `to` may be a directory that is there: then into it. A file that is there is replaced.
void move(const Rooted& root, const std::string& from, const std::string& to);

// The same. A link that `from` names is followed; within a directory, links and what is neither file nor directory end
// it.
void copy(const Rooted& root, const std::string& from, const std::string& to);

// In hex.
std::string md5sum(const Rooted& root, const std::string& path);

}  // namespace ascmd
