#include "base/confine.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/fsverity.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/failure.h"
#include "base/fd.h"

namespace confine {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kConfines = false;  // its runtime looks into its own process
#else
constexpr bool kConfines = true;
#endif

constexpr const char* kDangerous[] = {"_sysctl",
                                      "acct",
                                      "add_key",
                                      "adjtimex",
                                      "bpf",
                                      "chroot",
                                      "clock_adjtime",
                                      "clock_settime",

                                      "fsconfig",
                                      "fsmount",
                                      "fsopen",
                                      "fspick",

                                      "io_uring_enter",
                                      "io_uring_register",
                                      "io_uring_setup",
                                      "ioperm",
                                      "iopl",
                                      "kcmp",
                                      "kexec_file_load",
                                      "kexec_load",
                                      "keyctl",
                                      "lookup_dcookie",
                                      "migrate_pages",
                                      "mknod",
                                      "mknodat",
                                      "modify_ldt",
                                      "mount",
                                      "mount_setattr",
                                      "move_mount",
                                      "move_pages",
                                      "open_by_handle_at",
                                      "open_tree",
                                      "perf_event_open",
                                      "pidfd_getfd",
                                      "pivot_root",
                                      "process_madvise",
                                      "process_vm_readv",
                                      "process_vm_writev",
                                      "ptrace",
                                      "quotactl",
                                      "quotactl_fd",
                                      "reboot",
                                      "request_key",
                                      "setdomainname",
                                      "sethostname",
                                      "setns",
                                      "settimeofday",
                                      "stime",
                                      "swapoff",
                                      "swapon",
                                      "syslog",
                                      "umount",
                                      "umount2",
                                      "unshare",
                                      "uselib",
                                      "userfaultfd",
                                      "vhangup",
                                      "vm86",
                                      "vm86old"};
constexpr std::uint64_t kNamespaces[] = {CLONE_NEWUSER, CLONE_NEWNS,  CLONE_NEWNET,
                                         CLONE_NEWIPC,  CLONE_NEWUTS, CLONE_NEWCGROUP};
constexpr const char* kOpen[] = {"open", "openat", "openat2", "creat"};
// What Landlock does not see: changes of a file's mode, owner, times and attributes.
constexpr const char* kChange[] = {"chmod",     "chown",       "chown32",          "fchmod",   "fchmodat",
                                   "fchmodat2", "fchown",      "fchown32",         "fchownat", "fremovexattr",
                                   "fsetxattr", "futimesat",   "lchown",           "lchown32", "lremovexattr",
                                   "lsetxattr", "removexattr", "removexattrat",    "setxattr", "setxattrat",
                                   "utime",     "utimensat",   "utimensat_time64", "utimes",   "file_setattr"};
// The same by ioctl(2), for which a file that is open for reading will do.
constexpr std::uint32_t kChangeByIoctl[] = {FS_IOC_SETFLAGS, FS_IOC32_SETFLAGS, FS_IOC_FSSETXATTR,
                                            FS_IOC_ENABLE_VERITY};
// And, before its third version, that a file is cut off.
constexpr const char* kTruncate[] = {"truncate", "truncate64"};

// Newer than the kernel's header may be. An older kernel is not asked for what it does not know.
constexpr std::uint64_t kFirstVersion = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
constexpr std::uint64_t kMoves = 1ULL << 13;           // between directories; version 2
constexpr std::uint64_t kTruncates = 1ULL << 14;       // version 3
constexpr std::uint64_t kBindsTcp = 1ULL << 0;         // version 4
constexpr std::uint64_t kConnectsTcp = 1ULL << 1;      // version 4
constexpr std::uint64_t kCallsDevices = 1ULL << 15;    // ioctl(2); version 5
constexpr std::uint64_t kAbstractSockets = 1ULL << 0;  // version 6
constexpr std::uint64_t kSignals = 1ULL << 1;          // version 6
struct Ruleset {
  std::uint64_t files;
  std::uint64_t tcp;
  std::uint64_t scopes;
};
constexpr std::uint64_t kOfFiles = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |
                                   LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncates;  // all that a rule for a file may have

std::uint64_t access_of(unsigned rights) {
  std::uint64_t access = 0;
  if (rights & may_read) access |= LANDLOCK_ACCESS_FS_READ_FILE;
  if (rights & may_list) access |= LANDLOCK_ACCESS_FS_READ_DIR;
  if (rights & may_run) access |= LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE;
  if (rights & may_write)
    access |= LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |
              LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | kMoves | kTruncates;
  return access;
}

// A list of system calls that is being made.
class List {
 public:
  explicit List(std::uint32_t otherwise) : filter_(::seccomp_init(otherwise), ::seccomp_release) {
    if (!filter_ || ::seccomp_attr_set(filter_.get(), SCMP_FLTATR_CTL_TSYNC, 1) != 0) fail(ENOMEM);
  }

  template <typename... Conditions>
  void add(std::uint32_t action, const char* name, Conditions... conditions) {
    const int number = ::seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) return;
    const int error = ::seccomp_rule_add(filter_.get(), action, number, sizeof...(conditions), conditions...);
    // -EDOM: this architecture has no such call.
    if (error != 0 && error != -EDOM) fail(-error);
  }

  void load() {
    if (const int error = ::seccomp_load(filter_.get()); error != 0) fail(-error);
  }

 private:
  [[noreturn]] static void fail(int error) {
    errno = error;
    tool::fail_errno(tool::os, "confine the system calls");
  }

  std::unique_ptr<void, void (*)(scmp_filter_ctx)> filter_;
};

int set_capabilities(std::uint64_t kept) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) return -1;
  for (unsigned i = 0; i < sets.size(); ++i) {
    sets[i].permitted &= static_cast<std::uint32_t>(kept >> (32 * i));
    sets[i].effective = sets[i].permitted;
    sets[i].inheritable = 0;
  }
  return static_cast<int>(::syscall(SYS_capset, &header, sets.data()));
}

void load_dangerous(std::uint32_t action) {
  if (!kConfines) return;
  List list(SCMP_ACT_ALLOW);
  for (const char* const name : kDangerous) list.add(action, name);
  for (const auto flag : kNamespaces) list.add(action, "clone", SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag));
  list.add(SCMP_ACT_ERRNO(ENOSYS), "clone3");  // whose flags cannot be seen; glibc then uses clone
  list.load();
}

bool has_in_bounding_set(int capability) { return ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1; }

}  // namespace

void keep_capabilities(std::span<const int> kept) {
  std::uint64_t bits = 0;
  for (const int each : kept) bits |= std::uint64_t{1} << each;
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  for (int each = 0; ::prctl(PR_CAPBSET_READ, each, 0, 0, 0) >= 0; ++each) {
    if ((bits >> each & 1) != 0 || !has_in_bounding_set(each)) continue;
    // Without SETPCAP, as under a unit of systemd's, the bounding set stays. PR_SET_NO_NEW_PRIVS, below, still
    // gives no program what we do not have.
    if (::prctl(PR_CAPBSET_DROP, each, 0, 0, 0) != 0 && errno != EPERM) tool::fail_errno(tool::os, "drop capabilities");
  }
  if (set_capabilities(bits) != 0 || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    tool::fail_errno(tool::os, "drop capabilities");
}

void forbid_dangerous() { load_dangerous(SCMP_ACT_KILL_PROCESS); }

void refuse_dangerous() { load_dangerous(SCMP_ACT_ERRNO(EPERM)); }

void allow_only(const Calls& calls) {
  if (!kConfines) return;
  List list(SCMP_ACT_KILL_PROCESS);
  const auto has = [&](std::string_view wanted) {
    return std::find(calls.names.begin(), calls.names.end(), wanted) != calls.names.end();
  };
  for (const char* const name : calls.names) list.add(SCMP_ACT_ALLOW, name);
  for (const char* const name : kOpen) {
    if (!has(name)) list.add(SCMP_ACT_ERRNO(EACCES), name);
  }
  for (const int family : calls.families)
    list.add(SCMP_ACT_ALLOW, "socket", SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(family), 0));
  const auto self = static_cast<scmp_datum_t>(::getpid());
  list.add(SCMP_ACT_ALLOW, "tgkill", SCMP_A0(SCMP_CMP_EQ, self, 0));  // abort(3)
  if (calls.victim > 0)
    list.add(SCMP_ACT_ALLOW, "kill", SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(calls.victim), 0));
  list.load();
}

void see_only(std::initializer_list<std::string> readable) {
  if (!kConfines) return;
  constexpr std::uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
  landlock_ruleset_attr all{};
  all.handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;  // what the first version has
  const Fd rules(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &all, sizeof all.handled_access_fs, 0)));
  if (!rules) return;
  const auto allow = [&](const std::string& path, std::uint64_t access) {
    const Fd place(::open(path.c_str(), O_PATH | O_CLOEXEC));
    landlock_path_beneath_attr rule{access, place.get()};
    if (!place || ::syscall(SYS_landlock_add_rule, rules.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0) return;
    rule.allowed_access &= LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE;  // it is not a directory
    ::syscall(SYS_landlock_add_rule, rules.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  };
  for (const auto& path : readable) allow(path, kRead);
  allow("/dev/null", LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::syscall(SYS_landlock_restrict_self, rules.get(), 0) != 0)
    tool::fail_errno(tool::os, "confine the files");
}

namespace {

// 0: there is none.
long landlock_version() {
  return std::max(0L, ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION));
}

Ruleset handled(long version, const Reach& reach) {
  Ruleset all{kFirstVersion, 0, 0};
  if (version >= 2) all.files |= kMoves;
  if (version >= 3) all.files |= kTruncates;
  if (version >= 4 && !reach.tcp) all.tcp = kBindsTcp | kConnectsTcp;
  if (version >= 5) all.files |= kCallsDevices;
  if (version >= 6) all.scopes = kSignals | (reach.abstract_sockets ? 0 : kAbstractSockets);
  return all;
}

// Whether something below a directory may be written.
bool allow(int rules, const Place& place, std::uint64_t known) {
  struct stat status {};
  if (::fstat(place.fd, &status) != 0) tool::fail_errno(tool::os, "confine the files");
  landlock_path_beneath_attr rule{access_of(place.rights) & known, place.fd};
  if (!S_ISDIR(status.st_mode)) rule.allowed_access &= kOfFiles;
  // The kernel takes no rule that allows nothing.
  if (rule.allowed_access != 0 && ::syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
    tool::fail_errno(tool::os, "confine the files");
  return S_ISDIR(status.st_mode) && (place.rights & may_write) != 0;
}

// What Landlock does not see of what it should. Calls that this architecture lacks are skipped.
void forbid_unseen(long version, bool writes, const Reach& reach) {
  if (!kConfines) return;
  List list(SCMP_ACT_ALLOW);
  constexpr scmp_datum_t kInt = 0xffffffff;  // of the others the kernel takes no notice
  if (!writes) {
    for (const char* const name : kChange) list.add(SCMP_ACT_ERRNO(EACCES), name);
    for (const auto request : kChangeByIoctl)
      list.add(SCMP_ACT_ERRNO(EACCES), "ioctl", SCMP_A1(SCMP_CMP_MASKED_EQ, kInt, request));
  }
  if (!reach.events) {
    for (const char* const name : {"inotify_init", "inotify_init1", "fanotify_init"})
      list.add(SCMP_ACT_ERRNO(EACCES), name);
  }
  constexpr scmp_datum_t kType = 0xf;  // without SOCK_CLOEXEC and the like
  if (!reach.unix_streams) {
    for (const scmp_datum_t type : {SOCK_STREAM, SOCK_SEQPACKET})
      list.add(SCMP_ACT_ERRNO(EACCES), "socket", SCMP_A0(SCMP_CMP_MASKED_EQ, kInt, AF_UNIX),
               SCMP_A1(SCMP_CMP_MASKED_EQ, kType, type));
  }
  // Landlock sees connect(2) and bind(2) of TCP only: not MPTCP, nor sendto(2) with MSG_FASTOPEN, nor listen(2) without
  // bind(2). Nor SCTP, DCCP, SMC, vsock and so on.
  if (!reach.tcp) {
    for (const scmp_datum_t family : {AF_INET, AF_INET6}) {
      for (const scmp_datum_t type : {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DCCP})
        list.add(SCMP_ACT_ERRNO(EACCES), "socket", SCMP_A0(SCMP_CMP_MASKED_EQ, kInt, family),
                 SCMP_A1(SCMP_CMP_MASKED_EQ, kType, type));
    }
    list.add(SCMP_ACT_ERRNO(EACCES), "socket", SCMP_A0(SCMP_CMP_GT, AF_NETLINK, 0));
  }
  if (version < 3) {
    for (const char* const name : kTruncate) list.add(SCMP_ACT_ERRNO(EACCES), name);
    // To cut a file off while it is opened for reading. What openat2(2) is asked cannot be seen.
    constexpr scmp_datum_t kMask = O_ACCMODE | O_TRUNC;
    list.add(SCMP_ACT_ERRNO(EACCES), "open", SCMP_A1(SCMP_CMP_MASKED_EQ, kMask, O_RDONLY | O_TRUNC));
    list.add(SCMP_ACT_ERRNO(EACCES), "openat", SCMP_A2(SCMP_CMP_MASKED_EQ, kMask, O_RDONLY | O_TRUNC));
  }
  list.load();
}

}  // namespace

bool has_landlock() { return landlock_version() > 0; }

void stay_in(const std::vector<Place>& places, const Reach& reach) {
  const long version = landlock_version();
  if (version == 0) throw tool::Failure(tool::os, "confine the files: this kernel has no Landlock");
  const Ruleset all = handled(version, reach);
  const Fd rules(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &all, sizeof all, 0)));
  if (!rules) tool::fail_errno(tool::os, "confine the files");
  bool writes = false;
  for (const auto& place : places) writes = allow(rules.get(), place, all.files) || writes;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::syscall(SYS_landlock_restrict_self, rules.get(), 0) != 0)
    tool::fail_errno(tool::os, "confine the files");
  forbid_unseen(version, writes, reach);
}

}  // namespace confine
