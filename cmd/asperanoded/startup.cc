#include "startup.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stddef.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>

#include <fmt/core.h>

#include "base/failure.h"
#include "base/io.h"
#include "base/paths.h"
#include "resolver.h"

namespace asperanoded {
namespace startup {
namespace {

constexpr rlim_t kMaxOpenFiles = 16384;
constexpr char kIptables[] = "/usr/sbin/iptables-restore";
const std::string kPidFile = std::string(paths::kRun) + "/asperanoded.pid";

[[noreturn]] void fail(const std::string& why) { throw tool::Failure(tool::config, why); }

bool runs(const std::string& path) { return ::access(path.c_str(), X_OK) == 0; }

bool is_same(const std::string& one, const std::string& other) {
  struct stat a {};
  struct stat b {};
  return ::stat(one.c_str(), &a) == 0 && ::stat(other.c_str(), &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

}  // namespace

void check_settings(const config::Config& config) {
  if (!config.proxy.enabled) {
    fail("the forward proxy is not enabled: set <enabled>true</enabled> in <server><proxy> of aspera.conf "
         "(asconfigurator -x 'set_server_data;proxy_enabled,true')");
  }
  if (config.proxy.netmask && !config.proxy.bind_ip_address) {
    fail("<bind_ip_netmask> without <bind_ip_address>: set the address, whose network may then ask, or remove the "
         "netmask");
  }
  if (config.proxy.netmask && !config.proxy.bind_ip_address->is_v4()) {
    fail("<bind_ip_netmask> with an IPv6 <bind_ip_address>: netmasks are of IPv4; remove it");
  }
}

void check_programs(const config::Node& node) {
  if (!runs(kIptables))
    fail(fmt::format("{} is missing: apt-get install iptables, or yum install iptables", kIptables));
  if (!runs(paths::kSudo)) fail(fmt::format("{} is missing: apt-get install sudo, or yum install sudo", paths::kSudo));
  const std::string helper = std::string(paths::kLibexec) + "asp-lease";
  if (!runs(helper)) fail(fmt::format("{} is missing: install the suite anew", helper));
  const std::string& path = node.iptables_path;
  if (path.empty()) return;
  const std::string built_in_path = std::string(kIptables).substr(0, std::strlen(kIptables) - std::strlen("-restore"));
  if (is_same(path, "/usr/sbin") || is_same(path, built_in_path) || is_same(path + "/iptables", built_in_path)) return;
  fail(fmt::format("<iptables_path> {}: what the suite runs as root is {} and nothing else; remove the setting", path,
                   built_in_path));
}

Account node_account() {
  const passwd* entry = ::getpwnam(paths::kNodeAccount);
  if (!entry) {
    fail(fmt::format(
        "there is no account {0}: useradd --system --user-group --home-dir /nonexistent --shell /usr/sbin/nologin {0}",
        paths::kNodeAccount));
  }
  if (entry->pw_uid == 0 || entry->pw_gid == 0) fail(fmt::format("account {} must not be root's", paths::kNodeAccount));
  return {entry->pw_uid, entry->pw_gid};
}

// A program that checks whether we run, such as /etc/init.d/asperaproxy, holds the lock for an
// instant.
bool lock_soon(const Fd& file) {
  constexpr int kMaxAttempts = 50;
  for (int i = 0; i < kMaxAttempts; ++i) {
    if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

Fd take_pid_file() {
  Fd file = fd::open(kPidFile, O_RDWR | O_CREAT | O_NOFOLLOW, 0644);
  if (!lock_soon(file)) throw tool::Failure(tool::temporary, "asperanoded runs already: stop that one first");
  erase_pid(file);
  return file;
}

void write_pid(const Fd& file) { io::write_all(file.get(), fmt::format("{}\n", ::getpid())); }

void erase_pid(const Fd& file) {
  if (::ftruncate(file.get(), 0) != 0) tool::fail_errno(tool::os, "truncate " + kPidFile);
}

void prepare_process() {
  ::umask(077);
  if (::chdir("/") != 0) tool::fail_errno(tool::os, "chdir /");
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_max = std::max(files.rlim_max, kMaxOpenFiles);
  files.rlim_cur = std::min(files.rlim_max, kMaxOpenFiles);
  if (::setrlimit(RLIMIT_NOFILE, &files) != 0) {
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
  rlimit core{};  // a core dump would have keys and passwords in it; sudo complains of a hard limit
  ::getrlimit(RLIMIT_CORE, &core);
  core.rlim_cur = 0;
  ::setrlimit(RLIMIT_CORE, &core);
  ::clearenv();
  ::setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
  ::setenv("RES_OPTIONS", Resolver::kOptions, 1);
}

void drop_root(const Account& account) {
  if (::setgroups(0, nullptr) != 0 || ::setresgid(account.gid, account.gid, account.gid) != 0 ||
      ::setresuid(account.uid, account.uid, account.uid) != 0) {
    tool::fail_errno(tool::os, fmt::format("become {}", paths::kNodeAccount));
  }
  if (::setuid(0) == 0 || ::setgid(0) == 0) throw tool::Failure(tool::internal, "root was not dropped for good");
  ::prctl(PR_SET_DUMPABLE, 0);
}

void notify(const std::string& socket, const std::string& state) {
  sockaddr_un address{};
  if (socket.empty() || socket.size() >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket.data(), socket.size());
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const Fd out(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket.size());
  ::sendto(out.get(), state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&address), length);
}

}  // namespace startup
}  // namespace asperanoded
