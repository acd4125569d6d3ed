#include "who/authorized_keys.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>

#include <fmt/core.h>

#include "base/cut.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/root_only.h"
#include "base/whole_file.h"

namespace authorized_keys {
namespace {

constexpr std::size_t kMaxFile = 1024 * 1024;

void require_way(const std::string& path) {
  if (const auto wrong = root_only::way_complaint(path)) throw tool::Failure(tool::not_permitted, *wrong);
}

std::string lower(std::string_view text) {
  std::string small(text);
  std::transform(small.begin(), small.end(), small.begin(), [](unsigned char c) { return std::tolower(c); });
  return small;
}

// The tokens of sshd_config(5) that a name can stand in.
std::string expand(std::string_view pattern, const std::string& name, const std::string& home) {
  std::string path;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '%' || i + 1 == pattern.size()) {
      path += pattern[i];
      continue;
    }
    const char token = pattern[++i];
    if (token == 'u') path += name;
    else if (token == 'h') path += home;
    else if (token == '%') path += '%';
    else path += fmt::format("%{}", token);
  }
  return path.starts_with('/') ? path : fmt::format("{}/{}", home, path);
}

}  // namespace

std::string path_of(const std::string& name) { return fmt::format("{}/{}", kFolder, name); }

std::optional<std::string> read(const std::string& name) {
  const std::string path = path_of(name);
  const Fd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file && errno == ENOENT) return std::nullopt;
  if (!file && errno == ELOOP) throw tool::Failure(tool::not_permitted, path + ": is a symbolic link");
  if (!file) tool::fail_errno(tool::os, "open " + path);
  require_way(path);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) tool::fail_errno(tool::os, "stat " + path);
  if (!S_ISREG(status.st_mode) || !root_only::is(status))
    throw tool::Failure(tool::not_permitted, path + ": is not a file that is root's alone");
  return io::read_all(file.get(), kMaxFile, path);
}

void write(const std::string& name, std::string_view text) {
  if (::mkdir(kFolder, 0755) != 0 && errno != EEXIST) tool::fail_errno(tool::os, fmt::format("mkdir {}", kFolder));
  const std::string path = path_of(name);
  require_way(path);
  // No account can have that name, and sshd reads nothing of it.
  whole_file::write(path, text,
                    {.mode = 0644, .durable = true, .beside = fmt::format("{}/.new.{}", kFolder, ::getpid())});
}

bool remove(const std::string& name) {
  if (::unlink(path_of(name).c_str()) == 0) return true;
  if (errno != ENOENT) tool::fail_errno(tool::os, "remove " + path_of(name));
  return false;
}

std::vector<std::string> read_by_sshd(std::string_view settings, const std::string& name, const std::string& home) {
  std::vector<std::string> files;
  for (const auto line : cut::lines(settings)) {
    const auto words = cut::words(line);
    if (words.empty() || lower(words[0]) != "authorizedkeysfile") continue;
    for (std::size_t i = 1; i < words.size(); ++i) {
      if (words[i] != "none") files.push_back(expand(words[i], name, home));
    }
  }
  return files;
}

}  // namespace authorized_keys
