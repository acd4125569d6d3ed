#include "session/keyfile.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/core.h>

#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/root_only.h"
#include "session/keepers.h"

namespace session::keyfile {
namespace {

constexpr std::size_t kMaxKey = 64 * 1024;

// Temporarily assumes the user's effective uid, gid and groups.
class AsUser {
 public:
  AsUser(const std::string& user, uid_t uid) {
    const passwd* entry = ::getpwnam(user.c_str());
    if (!entry) throw tool::Failure(tool::os, user + ": no such account");
    if (::initgroups(user.c_str(), entry->pw_gid) != 0 || ::setegid(entry->pw_gid) != 0 || ::seteuid(uid) != 0) {
      tool::fail_errno(tool::os, "become " + user);
    }
  }
  AsUser(const AsUser&) = delete;
  ~AsUser() {
    if (::seteuid(0) != 0 || ::setegid(0) != 0 || ::setgroups(0, nullptr) != 0) std::abort();
  }
};

Fd open_key(const std::string& path) { return Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)); }

[[noreturn]] void fail_owner(const std::string& path) {
  throw tool::Failure(tool::config, fmt::format("key {}: must belong to root and be writable by root alone", path));
}

void check(int fd, const std::string& path, bool roots_only) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) tool::fail_errno(tool::os, "stat key " + path);
  if (!S_ISREG(status.st_mode)) throw tool::Failure(tool::config, fmt::format("key {}: not a regular file", path));
  if (roots_only && !root_only::is(status)) fail_owner(path);
}

}  // namespace

File read(const Route& route, const std::string& user, uid_t uid) {
  const std::string& path = route.keyfile;
  Fd file;
  int error = 0;
  {
    const AsUser as_user(user, uid);
    file = open_key(path);
    error = errno;
  }
  const bool roots = !file && error == EACCES && !route.keyfile_of_user;
  if (roots && root_only::way_complaint(path)) {
    throw tool::Failure(
        tool::config,
        fmt::format("key {}: {} cannot read it, and users other than root may change a directory on its path", path,
                    user));
  }
  if (roots) {
    file = open_key(path);
    error = errno;
  }
  // We have no right to what is others' (CAP_DAC_OVERRIDE).
  if (roots && !file && error == EACCES) fail_owner(path);
  if (!file) {
    errno = error;
    tool::fail_errno(tool::config, "open key " + path);
  }
  check(file.get(), path, roots);
  const std::string identity = keepers::identity_of(file.get());
  try {
    return {io::read_all(file.get(), kMaxKey, path), identity};
  } catch (const tool::Failure& failure) {  // it is too long
    throw tool::Failure(tool::config, fmt::format("key {}", failure.what()));
  }
}

}  // namespace session::keyfile
