#include "who/caller.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>
#include <optional>

#include <fmt/core.h>

#include "base/accounts.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/netlink.h"
#include "base/paths.h"
#include "base/process.h"

namespace caller {
namespace {

[[noreturn]] void refuse(const std::string& why) { throw tool::Failure(tool::not_permitted, why); }

constexpr std::chrono::seconds kLookEach{15};
constexpr char kConnectionStopped[] = "SSH connection's process is stopped";
constexpr char kConnectionClosed[] = "SSH connection is closed";

// The inode of descriptor `name` of a process, if it is a TCP socket that root made or accepted. Absent also
// when it was closed meanwhile.
std::optional<std::uint32_t> roots_tcp_socket(const std::string& path) {
  struct stat status {};
  char protocol[16] = {};  // "TCP", "TCPv6"
  if (::stat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode) || status.st_uid != 0) return std::nullopt;
  if (::getxattr(path.c_str(), "system.sockprotoname", protocol, sizeof protocol - 1) < 0) return std::nullopt;
  if (!std::string_view(protocol).starts_with("TCP")) return std::nullopt;
  return static_cast<std::uint32_t>(status.st_ino);
}

std::vector<std::uint32_t> roots_tcp_sockets(pid_t pid) {
  const std::string directory = fmt::format("/proc/{}/fd", pid);
  const std::unique_ptr<DIR, int (*)(DIR*)> opened(::opendir(directory.c_str()), ::closedir);
  std::vector<std::uint32_t> found;
  while (const dirent* entry = opened ? ::readdir(opened.get()) : nullptr) {
    if (entry->d_name[0] == '.') continue;
    if (const auto inode = roots_tcp_socket(fmt::format("{}/{}", directory, entry->d_name))) found.push_back(*inode);
  }
  return found;
}

// Calls `see` for each process above this one, with the one below it, until it returns true.
template <typename See>
bool any_above(See see) {
  constexpr int kMaxDepth = 64;
  process::Process below = process::of(::getpid());
  for (int depth = 0; depth < kMaxDepth && below.parent > 1; ++depth) {
    process::Process above = process::of(below.parent);
    if (see(above, below)) return true;
    below = std::move(above);
  }
  return false;
}

bool is_stopped(char state) { return state == 'T' || state == 't'; }

// The state in /proc/PID/stat, behind the command's name; 0 when the process has ended.
char state_now(const Fd& stat) {
  char text[512];
  const ssize_t length = ::pread(stat.get(), text, sizeof text, 0);
  const std::string_view read(text, length > 0 ? static_cast<std::size_t>(length) : 0);
  const auto name_end = read.rfind(") ");
  return name_end == read.npos || name_end + 2 >= read.size() ? '\0' : read[name_end + 2];
}

Fd hold_living(const process::Process& process) {
  Fd held = process::hold(process);
  if (!held) refuse("the session has ended");
  return held;
}

struct Connection {
  std::uint32_t inode;
  uid_t owner;
  unsigned interface;
};

// Makes one exact look-up in the kernel's socket table, sock_diag(7). A listener on :: holds IPv4
// connections too; asking with AF_INET finds both. A socket that is bound to an interface or VRF is found by the
// number of that alone, any other by 0.
std::optional<Connection> established(const Endpoint& local, const Endpoint& remote, unsigned interface) {
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
  wanted.id.idiag_if = interface;
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
  return Connection{found->idiag_inode, found->idiag_uid, interface};
}

// Tries each interface: which one an sshd is bound to, if any, only the owner of the socket could say. The
// numbers of a thousand interfaces are asked within some milliseconds.
std::optional<Connection> established(const Endpoint& local, const Endpoint& remote) {
  if (auto found = established(local, remote, 0)) return found;
  const std::unique_ptr<struct if_nameindex, void (*)(struct if_nameindex*)> all(::if_nameindex(), ::if_freenameindex);
  if (!all) tool::fail_errno(tool::os, "list interfaces");
  for (const struct if_nameindex* each = all.get(); each->if_index != 0; ++each) {
    if (auto found = established(local, remote, each->if_index)) return found;
  }
  return std::nullopt;
}

// What an end to the session may look like that no pidfd tells.
std::string desertion(char holder, const std::optional<Connection>& connection,
                      const std::vector<std::uint32_t>& sockets) {
  if (is_stopped(holder)) return kConnectionStopped;
  const bool same = connection && std::find(sockets.begin(), sockets.end(), connection->inode) != sockets.end();
  return same ? "" : kConnectionClosed;
}

bool is_unix_stream_of(int fd, uid_t uid) {
  const auto option = [fd](int name, auto& value) {
    socklen_t size = sizeof value;
    return ::getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 && size == sizeof value;
  };
  int domain = 0;
  int type = 0;
  ucred peer{};
  return option(SO_DOMAIN, domain) && option(SO_TYPE, type) && option(SO_PEERCRED, peer) && domain == AF_UNIX &&
         type == SOCK_STREAM && peer.uid == uid;
}

bool is_harmless(int fd, uid_t uid) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return false;
  if (S_ISSOCK(status.st_mode)) return is_unix_stream_of(fd, uid);
  if (S_ISCHR(status.st_mode)) return status.st_rdev == makedev(1, 3) || ::isatty(fd) == 1;
  return S_ISFIFO(status.st_mode);
}

}  // namespace

Caller find(uid_t uid) {
  Caller found;
  found.uid = uid;
  found.user = accounts::name_of(uid);
  const auto see = [&](const process::Process& above, const process::Process& below) {
    if (above.real_uid() == 0 && uid != 0) return false;  // sudo, which may have connections of its own
    found.sockets = roots_tcp_sockets(above.pid);
    if (found.sockets.empty()) return false;
    found.process = below;
    found.holder = above;
    return true;
  };
  if (!any_above(see))
    refuse(fmt::format("no parent process is sshd's for {}: none holds a connection that root accepted", found.user));
  if (found.holder.real_uid() != uid)
    refuse(fmt::format("the SSH connection belongs to uid {}, not to {}", found.holder.real_uid(), found.user));
  if (is_stopped(found.holder.state)) refuse(kConnectionStopped);
  found.state = fd::open(fmt::format("/proc/{}/stat", found.holder.pid), O_RDONLY);
  found.session = hold_living(found.process);
  found.connection = hold_living(found.holder);
  // The session outlives its monitor, but nothing is left to close it in order.
  if (found.holder.parent <= 1) refuse("the SSH session has lost its privileged process");
  const process::Process monitor = process::of(found.holder.parent);
  if (monitor.real_uid() != 0) refuse("the SSH session's privileged process is not root's");
  found.monitor = hold_living(monitor);
  return found;
}

void verify(Caller& caller, const Endpoint& client, const Endpoint& proxy) {
  const auto connection = established(proxy, client);
  if (!connection) refuse(fmt::format("no established connection from {} to {}", client.text(), proxy.text()));
  if (connection->owner != 0) {
    refuse(
        fmt::format("the connection from {} was not accepted by root but by uid {}", client.text(), connection->owner));
  }
  if (std::find(caller.sockets.begin(), caller.sockets.end(), connection->inode) == caller.sockets.end())
    refuse(fmt::format("no parent process holds the connection from {}", client.text()));
  caller.client = client;
  caller.proxy = proxy;
  caller.socket = connection->inode;
  caller.interface = connection->interface;
}

bool is_doctor() {
  const std::string doctor = std::string(paths::kBin) + "asperaproxy";
  return any_above([&](const process::Process& above, const process::Process&) {
    char program[PATH_MAX];
    const ssize_t length = ::readlink(fmt::format("/proc/{}/exe", above.pid).c_str(), program, sizeof program);
    return above.uids[1] == 0 && length > 0 && doctor == std::string_view(program, static_cast<std::size_t>(length));
  });
}

Deadline Vigil::next() { return Deadline::in(kLookEach); }

std::string Vigil::look() {
  if (!due_.over()) return {};
  due_ = next();
  const char holder = state_now(caller_.state);
  if (holder == '\0') return kConnectionClosed;
  return desertion(holder, established(caller_.proxy, caller_.client, caller_.interface), {caller_.socket});
}

std::string desertion_of(pid_t pid, const Endpoint& client, const Endpoint& proxy) {
  const auto session = pid > 1 ? process::find(pid) : std::nullopt;
  const auto holder = session && session->parent > 1 ? process::find(session->parent) : std::nullopt;
  return holder ? desertion(holder->state, established(proxy, client), roots_tcp_sockets(holder->pid)) : std::string();
}

void require_own_descriptors(uid_t uid) {
  bool well = true;
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (is_harmless(standard, uid)) continue;
    well = well && standard == STDERR_FILENO;
    if (::dup2(fd::open("/dev/null", O_RDWR).get(), standard) < 0) tool::fail_errno(tool::os, "dup2");
  }
  if (!well) refuse("stdin and stdout must be pipes, terminals, or Unix sockets of the caller's own");
}

}  // namespace caller
