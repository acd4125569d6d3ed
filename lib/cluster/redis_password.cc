#include "cluster/redis_password.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"

namespace redis {

std::string password_in(const std::string& path) {
  constexpr std::size_t kMaxBytes = 4096;
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file) tool::fail_errno(tool::config, "open " + path);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) tool::fail_errno(tool::os, "fstat " + path);
  if (!S_ISREG(status.st_mode) || status.st_uid != ::geteuid() || (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    throw tool::Failure(tool::config, path + ": must be a file that belongs to root and is for root alone (mode 0600)");
  }
  std::string text = io::read_all(file.get(), kMaxBytes, path);
  if (text.ends_with('\n')) text.pop_back();
  if (!is_password(text))
    throw tool::Failure(tool::config, path + ": must hold one line, of 1 to 128 letters, digits and any of -_.+/=");
  return text;
}

bool is_password(std::string_view text) {
  return !text.empty() && text.size() <= 128 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("-_.+/=").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

}  // namespace redis
