// own_file: a file that decides whom we trust, read as ssh(1) reads its own: it must be a regular file
// that belongs to the user or root, and that nobody else may write to.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace forward::own_file {

constexpr std::size_t kMaxBytes = 64 * 1024;

// Absent: there is none. Failure{78} when it is not as above, cannot be read, or is too large.
std::optional<std::string> read(const std::string& path);

// ~/.asp-forward, and what is in it; empty without a home, which HOME names.
std::string in_home(const std::string& name);

}  // namespace forward::own_file
