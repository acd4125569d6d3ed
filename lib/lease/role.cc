#include "lease/role.h"

#include <fcntl.h>

#include <cerrno>
#include <string>

#include <fmt/core.h>

#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/paths.h"
#include "base/whole_file.h"

namespace lease::role {
namespace {

constexpr const char* kRoleNames[] = {"", "standby", "master", "informed"};  // as Role has them

std::string path() { return fmt::format("{}/lease_role", paths::kRun); }

}  // namespace

Role get() {
  constexpr std::size_t kMaxBytes = 16;
  const Fd file(::open(path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file && errno == ENOENT) return Role::alone;
  if (!file) tool::fail_errno(tool::os, "open " + path());
  const std::string word = io::read_all(file.get(), kMaxBytes, path());
  for (const auto role : {Role::standby, Role::master, Role::informed}) {
    if (word == kRoleNames[static_cast<int>(role)]) return role;
  }
  throw tool::Failure(tool::os, path() + ": says neither standby nor master");
}

void set(Role role) { whole_file::write(path(), kRoleNames[static_cast<int>(role)]); }

}  // namespace lease::role
