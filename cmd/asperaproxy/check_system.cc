// Checks of the host itself: kernel, clock, cron, syslog, and the suite as it is installed.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <syslog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <optional>

#include <fmt/core.h>

#include "base/fd.h"
#include "base/log_file.h"
#include "base/log_socket.h"
#include "base/paths.h"
#include "base/root_only.h"
#include "base/wall_clock.h"
#include "config/schema.h"
#include "doctor.h"
#include "judge.h"
#include "kernel.h"
#include "session/spool.h"
#include "ssh/upstream_command.h"
#include "tried_as.h"

namespace doctor {
namespace {

constexpr char kStartCure[] = "asperaproxy start  # for the next boot, systemctl enable asperaproxy";

std::vector<std::string> names_in(const char* path) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> opened(::opendir(path), ::closedir);
  while (const dirent* entry = opened ? ::readdir(opened.get()) : nullptr) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  return names;
}

// " since 2026-11-22T15:04:05Z", when the file was made.
std::string since(const char* name) {
  struct stat status {};
  if (::stat(fmt::format("{}/{}", paths::kRun, name).c_str(), &status) != 0) return "";
  return " since " + wall_clock::text(status.st_mtime);
}

Verdicts state(const Patient&) {
  if (session::spool::stopped())
    return {warn(fmt::format("stopped{}: new sessions are refused", since("stopped")), "asperaproxy start")};
  if (session::spool::drained())
    return {warn(fmt::format("drained{}: new sessions are refused", since("drain")), "asperaproxy undrain")};
  const auto count = session::spool::living().size();
  return {ok(fmt::format("takes sessions; {} living", count))};
}

// Values of other products, which sessions do without.
Verdicts odd_values() {
  Verdicts found;
  for (const auto& odd : config::schema::oddities(config::load_document(paths::kConfig, config::Author::root)))
    found.push_back(
        warn(fmt::format("{}:{}: {}", paths::kConfig, odd.line, odd.text), "asuserdata -v  # names them all"));
  return found;
}

Verdicts configuration(const Patient& patient) {
  if (!patient.rproxy) {
    const bool is_open = patient.config_error.find("must belong to root") != std::string::npos;
    return {fail(patient.config_error, is_open ? fmt::format("chown root {0}; chmod go-w {0}  # others could write to "
                                                             "it: read it first",
                                                             paths::kConfig)
                                               : "asuserdata -v  # aspera.conf(5)")};
  }
  if (!patient.rproxy->enabled && patient.proxy->enabled)
    return {ok(fmt::format("{} is valid; the forward proxy alone is on", paths::kConfig))};
  if (!patient.rproxy->enabled && patient.rproxy->rules.empty())
    return {fail(fmt::format("{}: the reverse proxy is off, and has no rules", paths::kConfig), "asperaproxy setup")};
  if (!patient.rproxy->enabled)
    return {fail(fmt::format("{}: the reverse proxy is off", paths::kConfig),
                 "asconfigurator -x 'set_server_data;rproxy_enabled,true'")};
  if (patient.rproxy->rules.empty())
    return {fail(fmt::format("{} has no rules", paths::kConfig), "asperaproxy setup  # or aspera.conf(5), <rules>")};
  if (const auto users = tried_as::without_access(patient.users, paths::kConfig); !users.empty())
    return {fail(fmt::format("{} cannot read {}, so each of their sessions ends", listed(users), paths::kConfig),
                 Steps{{"chmod", "644", paths::kConfig}}, fmt::format("namei -l {} shows the way", paths::kConfig))};
  if (const auto odd = odd_values(); !odd.empty()) return odd;
  return {ok(fmt::format("{} is valid; rules: {}", paths::kConfig, patient.rproxy->rules.size()))};
}

// Empty, or why nothing can be written to a new file there. What is only written to the disk later is not seen.
std::string write_complaint(const std::string& directory) {
  const std::string path = fmt::format("{}/.check-{}", directory, ::getpid());
  const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return std::strerror(errno);
  ::unlink(path.c_str());
  const std::string page(4096, '.');
  const ssize_t put = ::write(file.get(), page.data(), page.size());
  if (put < 0) return std::strerror(errno);
  return static_cast<std::size_t>(put) == page.size() ? "" : "no room";
}

// Absent: there is room in the directory's file system.
std::optional<Verdict> lack_of_room(const std::string& directory, const char* so_that) {
  const std::string cure = fmt::format("df -h {0}; df -i {0}", directory);
  if (const std::string why = write_complaint(directory); !why.empty())
    return fail(fmt::format("cannot write to {}: {}, {}", directory, why, so_that), cure);
  struct statvfs room {};
  if (::statvfs(directory.c_str(), &room) != 0) return std::nullopt;
  return judge_room(directory, {room.f_blocks, room.f_bfree}, {room.f_files, room.f_ffree}, cure);
}

Verdicts log_directory(const Patient& patient) {
  if (!patient.rproxy || patient.rproxy->log_directory.empty()) return {};
  const std::string& path = patient.rproxy->log_directory;
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode))
    return {fail(fmt::format("{} is not a directory", path),
                 upstream::shell_command({"install", "-d", "-m", "750", path}))};
  if (const std::string why = log_file::complaint(path); !why.empty())
    return {fail(why + ", so the log is in syslog", "asp-reap  # mends the file; the directory must be root's alone")};
  if (const auto full = lack_of_room(path, "so the log is in syslog")) return {*full};
  return {ok(fmt::format("{} takes the log", path))};
}

// No session begins without room for its record.
Verdicts room(const Patient&) {
  if (::access(paths::kRun, F_OK) != 0) return {warn(fmt::format("there is no {}", paths::kRun), "asperaproxy start")};
  if (const auto full = lack_of_room(paths::kRun, "so no session begins")) return {*full};
  return {ok(fmt::format("{} takes records", paths::kRun))};
}

Verdicts tools(const Patient&) {
  Verdicts found;
  for (const char* tool : {"bin/aspshell", "bin/asp-match", "bin/asp-dial", "bin/asp-reap", "libexec/ascp_rproxy",
                           "libexec/asp-pinhole", "libexec/asp-upstream", "libexec/asp-redis"}) {
    const std::string path = fmt::format("{}/{}", paths::kPrefix, tool);
    struct stat status {};
    if (const auto wrong = root_only::complaint(path)) found.push_back(fail(*wrong, cure_of_root_only(path)));
    else if (::stat(path.c_str(), &status) == 0 && (status.st_mode & S_IXOTH) == 0)
      found.push_back(fail(fmt::format("users cannot execute {}", path), Steps{{"chmod", "755", path}}));
  }
  if (found.empty()) found.push_back(ok(fmt::format("installed in {}", paths::kPrefix)));
  return found;
}

Verdicts aspshell(const Patient&) {
  const std::string program = std::string(paths::kBin) + "aspshell";
  const std::unique_ptr<char, void (*)(void*)> real(::realpath(paths::kShell, nullptr), std::free);
  const std::unique_ptr<char, void (*)(void*)> expected(::realpath(program.c_str(), nullptr), std::free);
  const Steps cure{{"ln", "-sfn", program, "/usr/bin/aspshell"}};
  if (!real) return {fail(fmt::format("{} is missing", paths::kShell), cure)};
  if (!expected || std::string(real.get()) != expected.get())
    return {fail(fmt::format("{} is {}, not {}", paths::kShell, real.get(), program), cure)};
  if (::access(real.get(), X_OK) != 0)
    return {fail(fmt::format("{} is not executable", program), Steps{{"chmod", "755", program}})};
  return {ok(fmt::format("{} is {}", paths::kShell, program))};
}

std::vector<std::string> outer_interfaces() {
  auto names = names_in("/proc/sys/net/ipv4/conf");
  std::erase_if(names, [](const std::string& name) { return name == "all" || name == "default" || name == "lo"; });
  std::sort(names.begin(), names.end());
  return names;
}

Verdicts ip_forward(const Patient& patient) {
  Verdicts found;
  if (read_file("/proc/sys/net/ipv4/ip_forward") != "1\n")
    return {fail("net.ipv4.ip_forward is not 1, so no packet is forwarded", kStartCure)};
  for (const auto& interface : outer_interfaces()) {
    if (read_file(fmt::format("/proc/sys/net/ipv4/conf/{}/forwarding", interface)) == "0\n") {
      found.push_back(warn(fmt::format("off for the interface {}", interface),
                           Steps{{"sysctl", "-w", fmt::format("net/ipv4/conf/{}/forwarding=1", interface)}}));
    }
  }
  if (read_file("/proc/sys/net/ipv6/conf/all/forwarding") != "1\n" && patient.uses_ipv6 && asperaproxy::has_ipv6()) {
    found.push_back(fail("net.ipv6.conf.all.forwarding is not 1, but aspera.conf has rules for IPv6", kStartCure));
  }
  if (found.empty()) found.push_back(ok(patient.uses_ipv6 ? "on, for IPv6 too" : "on"));
  return found;
}

// Without its newline.
std::string kernel_setting(const std::string& name) {
  const std::string text = read_file("/proc/sys/net/" + name);
  return text.substr(0, text.find('\n'));
}

Verdicts sources(const Patient&) { return {judge_sources(outer_interfaces(), kernel_setting)}; }
Verdicts redirects(const Patient&) { return {judge_redirects(outer_interfaces(), kernel_setting)}; }

Verdicts conntrack_table(const Patient&) {
  const auto number = [](const char* path) { return std::strtoull(read_file(path).c_str(), nullptr, 10); };
  const auto max = number("/proc/sys/net/netfilter/nf_conntrack_max");
  if (max == 0) return {fail("the kernel does not track connections", "modprobe nf_conntrack")};
  return {judge_conntrack(number("/proc/sys/net/netfilter/nf_conntrack_count"), max)};
}

Verdicts accounting(const Patient&) {
  if (read_file("/proc/sys/net/netfilter/nf_conntrack_acct") == "1\n") return {ok("bytes are counted")};
  return {warn("net.netfilter.nf_conntrack_acct is not 1, so the log has no bytes",
               Steps{{"sysctl", "-w", "net.netfilter.nf_conntrack_acct=1"}}, kForNextBoot)};
}

Verdicts hosts(const Patient&) {
  const std::string text = read_file("/etc/hosts");
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  Verdicts found{judge_hosts(text)};
  if (const auto nameless = judge_own_name(text, read_file("/etc/nsswitch.conf"), name)) {
    if (found[0].grade == Grade::ok) found.clear();
    found.push_back(*nameless);
  }
  return found;
}

Verdicts clock(const Patient&) {
  timex now{};
  const bool synchronised = ::adjtimex(&now) != TIME_ERROR && (now.status & STA_UNSYNC) == 0;
  return {judge_clock(std::time(nullptr), synchronised)};
}

Verdicts selinux(const Patient&) { return {judge_selinux(read_file("/sys/fs/selinux/enforce"))}; }

// A daemon that hangs takes lines until its queue is full; then sshd and sudo wait for it, too.
Verdicts syslog(const Patient&) {
  constexpr std::chrono::seconds kPatience{3};
  const std::string line = log_socket::line(LOG_DEBUG, std::time(nullptr), "asperaproxy", "DBG1 check: is this taken?");
  switch (log_socket::Socket().try_out(line, kPatience)) {
    case log_socket::Daemon::listens: return {ok("listens")};
    case log_socket::Daemon::absent: break;
    case log_socket::Daemon::hangs:
      return {fail(fmt::format("it hangs: nobody took a line from /dev/log for {} s. sshd and sudo wait for it without "
                               "end, so nobody gets in",
                               kPatience.count()),
                   "systemctl restart rsyslog  # or systemd-journald; without systemd, /etc/init.d/rsyslog restart")};
  }
  return {warn("nobody listens on /dev/log, so there is no log", "systemctl start rsyslog  # or systemd-journald")};
}

bool cron_runs() {
  const std::string pid = read_file("/run/crond.pid");
  if (pid.empty()) return false;
  const std::string name = read_file(fmt::format("/proc/{}/comm", std::strtol(pid.c_str(), nullptr, 10)));
  return name.starts_with("cron");
}

Verdicts cron(const Patient&) {
  constexpr char kCronTable[] = "/etc/cron.d/sallyport";
  if (const auto wrong = root_only::complaint(kCronTable))
    return {fail(*wrong + ", so cron does not run asp-reap", cure_of_root_only(kCronTable))};
  Verdict table = judge_cron(read_file(kCronTable), std::string(paths::kBin) + "asp-reap");
  if (table.grade != Grade::ok) return {table};
  if (!cron_runs())
    return {fail("cron does not run, so nobody clears up after killed sessions",
                 Steps{{"systemctl", "enable", "--now", "cron"}}, "crond where there is dnf")};
  return {table};
}

}  // namespace

const std::vector<Condition>& system_conditions() {
  static const std::vector<Condition> all{{"state", state},
                                          {"config", configuration},
                                          {"room", room},
                                          {"log_directory", log_directory},
                                          {"tools", tools},
                                          {"aspshell", aspshell},
                                          {"ip_forward", ip_forward},
                                          {"sources", sources},
                                          {"redirects", redirects},
                                          {"conntrack", conntrack_table},
                                          {"accounting", accounting},
                                          {"hosts", hosts},
                                          {"clock", clock},
                                          {"selinux", selinux},
                                          {"syslog", syslog},
                                          {"cron", cron}};
  return all;
}

}  // namespace doctor
