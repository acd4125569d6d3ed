// node: runs an accepted command on this host, confined to the docroot.
#pragma once

#include <string>

#include "who/command_line.h"
#include "who/file_access.h"

namespace aspshell {

// Replaces this process by the program that `words` name, which finds itself in the docroot and reaches nothing else.
// Failure{71, 77, 78}, and nothing was run.
[[noreturn]] void serve_here(const command_line::Words& words, const file_access::Access& access,
                             const std::string& user);

}  // namespace aspshell
