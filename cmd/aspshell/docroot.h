// docroot: the directory that an account is confined to, opened.
#pragma once

#include <string>

#include "base/fd.h"

namespace aspshell {

// Opens the directory at the absolute `path` (O_PATH). A symbolic link on the way must be root's: somebody else who
// can make one would decide where it leads. Nothing is made. Failure{78} when it is missing, is none, or is a URL;
// Failure{77} when the account may not go there.
Fd open_docroot(const std::string& path);

}  // namespace aspshell
