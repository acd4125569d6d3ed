#include "own_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/core.h>

#include "base/env.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"

namespace forward::own_file {

std::optional<std::string> read(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  if (!file) tool::fail_errno(tool::config, "open " + path);
  struct stat about;
  if (::fstat(file.get(), &about) != 0) tool::fail_errno(tool::config, "stat " + path);
  if (!S_ISREG(about.st_mode)) throw tool::Failure(tool::config, fmt::format("read {}: not a regular file", path));
  const bool theirs = about.st_uid != ::geteuid() && about.st_uid != 0;
  if (theirs || (about.st_mode & 022) != 0) {
    throw tool::Failure(tool::config, fmt::format("read {}: {}", path,
                                                  theirs ? "it belongs neither to you nor to root"
                                                         : "others than its owner can change it; chmod go-w it"));
  }
  try {
    return io::read_all(file.get(), kMaxBytes, path);
  } catch (const tool::Failure& failure) {
    throw tool::Failure(tool::config, failure.what());
  }
}

std::string in_home(const std::string& name) {
  const auto home = env::get("HOME");
  if (!home || !home->starts_with('/')) return {};
  return *home + "/.asp-forward" + (name.empty() ? "" : "/" + name);
}

}  // namespace forward::own_file
