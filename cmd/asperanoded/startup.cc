#include "startup.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stddef.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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
#include "base/whole_file.h"
#include "resolver.h"

namespace asperanoded {
namespace startup {
namespace {

constexpr rlim_t kMaxOpenFiles = 16384;
constexpr char kIptables[] = "/usr/sbin/iptables-restore";
const std::string kPidFile = std::string(paths::kRun) + "/asperanoded.pid";
const std::string kReadyFile = std::string(paths::kRun) + "/asperanoded.ready";
const std::string kTlsFile = std::string(paths::kRun) + "/node_tls";

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
}

void check_programs(const config::Node& node) {
  if (!runs(kIptables))
    fail(fmt::format("{} is missing: apt-get install iptables, or yum install iptables", kIptables));
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

void check_account() {
  const passwd* entry = ::geteuid() == 0 ? nullptr : ::getpwnam(paths::kNodeAccount);
  if (::geteuid() == 0 || (entry && entry->pw_uid == ::geteuid() && entry->pw_uid == ::getuid())) return;
  throw tool::Failure(tool::not_permitted,
                      fmt::format("asperanoded must be started as root or {}", paths::kNodeAccount));
}

// Absent: another process has locked it. A program that checks whether we run, such as
// /etc/init.d/asperaproxy, holds the lock for an instant.
Fd locked(const std::string& path) {
  constexpr int kMaxAttempts = 50;
  Fd file = fd::open(path, O_RDONLY | O_NOFOLLOW);
  for (int i = 0; i < kMaxAttempts; ++i) {
    if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return file;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return {};
}

void make_pid_file() {
  for (const auto& path : {kPidFile, kReadyFile}) {
    const Fd file = fd::open(path, O_WRONLY | O_CREAT | O_NOFOLLOW, 0644);
    if (::fchmod(file.get(), 0644) != 0) tool::fail_errno(tool::os, "chmod " + path);
  }
}

Fd take_pid_file() {
  Fd file = locked(kPidFile);
  if (!file) throw tool::Failure(tool::temporary, "asperanoded is running already: stop that one first");
  return file;
}

void write_pid() {
  const Fd file = fd::open(kPidFile, O_WRONLY | O_TRUNC | O_NOFOLLOW);
  io::write_all(file.get(), fmt::format("{}\n", ::getpid()));
}

Fd tell_ready() { return locked(kReadyFile); }

void write_tls(const node_api::Tls& tls, const Account& account) {
  whole_file::write(kTlsFile, tls.certificate + "\n" + tls.key, {.mode = 0640, .group = account.gid});
}

// In PEM, each part is found by its name.
node_api::Tls read_tls() {
  constexpr std::size_t kMaxBytes = 1024 * 1024;
  const std::string text = io::read_all(fd::open(kTlsFile, O_RDONLY).get(), kMaxBytes, kTlsFile);
  return {text, text};
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

bool has_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3]{};
  if (::syscall(SYS_capget, &header, sets) != 0) tool::fail_errno(tool::os, "capget");
  return std::any_of(std::begin(sets), std::end(sets),
                     [](const auto& set) { return (set.effective | set.permitted | set.inheritable) != 0; });
}

void drop_rights(const Account& account) {
  const bool root = ::geteuid() == 0;
  if (root && (::setgroups(0, nullptr) != 0 || ::setresgid(account.gid, account.gid, account.gid) != 0 ||
               ::setresuid(account.uid, account.uid, account.uid) != 0)) {
    tool::fail_errno(tool::os, fmt::format("become {}", paths::kNodeAccount));
  }
  if (root && (::setuid(0) == 0 || ::setgid(0) == 0))
    throw tool::Failure(tool::internal, "root was not dropped for good");
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3]{};
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (has_capabilities() && ::syscall(SYS_capset, &header, none) != 0) tool::fail_errno(tool::os, "capset");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) tool::fail_errno(tool::os, "prctl PR_SET_NO_NEW_PRIVS");
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
