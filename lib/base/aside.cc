#include "base/aside.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

#include <fmt/core.h>

#include "base/failure.h"
#include "base/paths.h"
#include "base/unix_socket.h"

namespace aside {
namespace {

bool may_change_account() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) tool::fail_errno(tool::os, "capget");
  return (sets[0].effective & (1U << CAP_SETUID)) != 0;
}

}  // namespace

std::optional<Fd> reach(const std::string& program) {
  if (::geteuid() != 0 || may_change_account()) return std::nullopt;
  const std::string path = fmt::format("{}/{}.sock", paths::kRun, program);
  Fd socket = unix_socket::connect(path, SOCK_STREAM);
  if (!socket) tool::fail_errno(tool::os, "connect to " + path);
  return socket;
}

}  // namespace aside
