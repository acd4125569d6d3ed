#include "who/caller.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include <fmt/core.h>

#include "base/accounts.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/netlink.h"
#include "base/process.h"

namespace caller {
namespace {

[[noreturn]] void refuse(const std::string& why) { throw tool::Failure(tool::not_permitted, why); }

bool holds_socket(pid_t pid, std::uint32_t inode) {
  const std::string wanted = fmt::format("socket:[{}]", inode);
  const std::string directory = fmt::format("/proc/{}/fd", pid);
  const std::unique_ptr<DIR, int (*)(DIR*)> opened(::opendir(directory.c_str()), ::closedir);
  if (!opened) return false;
  while (const dirent* entry = ::readdir(opened.get())) {
    char target[64];
    const ssize_t length = ::readlinkat(::dirfd(opened.get()), entry->d_name, target, sizeof target);
    if (length > 0 && wanted == std::string_view(target, static_cast<std::size_t>(length))) return true;
  }
  return false;
}

Fd hold_living(const process::Process& process) {
  Fd held = process::hold(process);
  if (!held) refuse("the session has ended");
  return held;
}

struct Connection {
  std::uint32_t inode;
  uid_t owner;
};

// Makes one exact look-up in the kernel's socket table, sock_diag(7). A listener on :: holds IPv4
// connections too; asking with AF_INET finds both.
std::optional<Connection> established(const Endpoint& local, const Endpoint& remote) {
  netlink::Question question(SOCK_DIAG_BY_FAMILY, 0);
  auto& wanted = question.header<inet_diag_req_v2>();
  wanted.sdiag_family = static_cast<__u8>(local.ip.family());
  wanted.sdiag_protocol = IPPROTO_TCP;
  wanted.idiag_states = 1U << TCP_ESTABLISHED;
  wanted.id.idiag_sport = htons(local.port);
  wanted.id.idiag_dport = htons(remote.port);
  const std::size_t width = local.ip.is_v4() ? 4 : 16;
  std::memcpy(wanted.id.idiag_src, local.ip.bytes(), width);
  std::memcpy(wanted.id.idiag_dst, remote.ip.bytes(), width);
  wanted.id.idiag_cookie[0] = wanted.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;

  std::optional<inet_diag_msg> found;
  const int error = netlink::ask(NETLINK_SOCK_DIAG, question, [&](const nlmsghdr* message) {
    if (const auto* const answer = netlink::payload<inet_diag_msg>(message)) found = *answer;
  });
  if (error == ENOENT) return std::nullopt;
  errno = error;
  if (error != 0) tool::fail_errno(tool::os, "query sock_diag");
  if (!found) throw tool::Failure(tool::os, "sock_diag: short answer");
  // An exact look-up falls back to a listener when there is no connection.
  if (found->idiag_state != TCP_ESTABLISHED) return std::nullopt;
  return Connection{found->idiag_inode, found->idiag_uid};
}

}  // namespace

Caller verify(uid_t uid, const Endpoint& client, const Endpoint& proxy) {
  constexpr int kMaxDepth = 64;
  Caller found;
  found.uid = uid;
  found.user = accounts::name_of(uid);
  const auto connection = established(proxy, client);
  if (!connection) refuse(fmt::format("no established connection from {} to {}", client.text(), proxy.text()));
  if (connection->owner != 0) {
    refuse(
        fmt::format("the connection from {} was not accepted by root but by uid {}", client.text(), connection->owner));
  }
  process::Process process = process::of(::getpid());
  for (int depth = 0; depth < kMaxDepth && process.parent > 1; ++depth) {
    const process::Process parent = process::of(process.parent);
    if (holds_socket(parent.pid, connection->inode)) {
      if (parent.real_uid() != uid)
        refuse(fmt::format("the connection from {} belongs to uid {}, not to {}", client.text(), parent.real_uid(),
                           found.user));
      found.process = process;
      found.session = hold_living(process);
      found.connection = hold_living(parent);
      // The session outlives its monitor, but nothing is left to close it in order.
      if (parent.parent <= 1) refuse("the SSH session has lost its privileged process");
      const process::Process monitor = process::of(parent.parent);
      if (monitor.real_uid() != 0) refuse("the SSH session's privileged process is not root's");
      found.monitor = hold_living(monitor);
      return found;
    }
    process = parent;
  }
  refuse(fmt::format("no process above holds the connection from {}", client.text()));
}

}  // namespace caller
