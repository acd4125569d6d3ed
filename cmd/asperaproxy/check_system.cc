// Checks of the host itself: kernel, clock, cron, syslog, and the suite as it is installed.
#include <dirent.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <memory>

#include <fmt/core.h>

#include "base/log_file.h"
#include "base/paths.h"
#include "base/root_only.h"
#include "doctor.h"
#include "judge.h"
#include "kernel.h"
#include "session/spool.h"

namespace doctor {
namespace {

constexpr char kStartCure[] = "asperaproxy start; for the next boot, /etc/sysctl.d/sallyport.conf";

std::vector<std::string> names_in(const char* path) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> opened(::opendir(path), ::closedir);
  while (const dirent* entry = opened ? ::readdir(opened.get()) : nullptr) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  return names;
}

Verdicts state(const Patient&) {
  if (session::spool::stopped()) return {warn("stopped: new sessions are refused", "asperaproxy start")};
  if (session::spool::drained()) return {warn("drained: new sessions are refused", "asperaproxy undrain")};
  const auto count = session::spool::living().size();
  return {ok(fmt::format("takes sessions; {} living", count))};
}

Verdicts configuration(const Patient& patient) {
  if (!patient.rproxy) return {fail(patient.config_error, "aspera.conf(5); asp-match < /dev/null checks it")};
  if (!patient.rproxy->enabled && patient.proxy->enabled)
    return {ok(fmt::format("{} is valid; the forward proxy alone is on", paths::kConfig))};
  if (!patient.rproxy->enabled)
    return {fail(fmt::format("{}: the reverse proxy is off", paths::kConfig), "<rproxy><enabled>true</enabled>")};
  if (patient.rproxy->rules.empty())
    return {fail(fmt::format("{} has no rules", paths::kConfig), "aspera.conf(5), <rules>")};
  return {ok(fmt::format("{} is valid; {} rules", paths::kConfig, patient.rproxy->rules.size()))};
}

Verdicts log_directory(const Patient& patient) {
  if (!patient.rproxy || patient.rproxy->log_directory.empty()) return {};
  const std::string& path = patient.rproxy->log_directory;
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode))
    return {fail(fmt::format("{} is no directory", path), "mkdir it, or take <log_directory> out")};
  if (const std::string why = log_file::complaint(path); !why.empty())
    return {
        fail(why + ", so that the log is in syslog", "asp-reap mends the file; the directory must be root's alone")};
  return {ok(fmt::format("{} takes the log", path))};
}

Verdicts tools(const Patient&) {
  Verdicts found;
  for (const char* tool : {"bin/aspshell", "bin/asp-match", "bin/asp-dial", "bin/asp-reap", "libexec/ascp_rproxy",
                           "libexec/asp-pinhole", "libexec/asp-upstream", "libexec/asp-redis"}) {
    const std::string path = fmt::format("{}/{}", paths::kPrefix, tool);
    struct stat status {};
    if (const auto wrong = root_only::complaint(path)) found.push_back(fail(*wrong, "make install"));
    else if (::stat(path.c_str(), &status) == 0 && (status.st_mode & S_IXOTH) == 0)
      found.push_back(fail(fmt::format("users cannot execute {}", path), fmt::format("chmod 755 {}", path)));
  }
  if (found.empty()) found.push_back(ok(fmt::format("installed in {}", paths::kPrefix)));
  return found;
}

Verdicts aspshell(const Patient&) {
  const std::string program = std::string(paths::kBin) + "aspshell";
  const std::unique_ptr<char, void (*)(void*)> real(::realpath(paths::kShell, nullptr), std::free);
  const std::unique_ptr<char, void (*)(void*)> expected(::realpath(program.c_str(), nullptr), std::free);
  const std::string cure = fmt::format("ln -sfn {} /usr/bin/aspshell", program);
  if (!real) return {fail(fmt::format("{} is missing", paths::kShell), cure)};
  if (!expected || std::string(real.get()) != expected.get())
    return {fail(fmt::format("{} is {}, not {}", paths::kShell, real.get(), program), cure)};
  if (::access(real.get(), X_OK) != 0)
    return {fail(fmt::format("{} is not executable", program), fmt::format("chmod 755 {}", program))};
  return {ok(fmt::format("{} is {}", paths::kShell, program))};
}

Verdicts ip_forward(const Patient& patient) {
  Verdicts found;
  if (read_file("/proc/sys/net/ipv4/ip_forward") != "1\n")
    return {fail("net.ipv4.ip_forward is not 1, so that no packet is forwarded", kStartCure)};
  for (const auto& interface : names_in("/proc/sys/net/ipv4/conf")) {
    if (interface == "all" || interface == "default" || interface == "lo") continue;
    if (read_file(fmt::format("/proc/sys/net/ipv4/conf/{}/forwarding", interface)) == "0\n") {
      found.push_back(warn(fmt::format("off for the interface {}", interface),
                           fmt::format("sysctl -w net.ipv4.conf.{}.forwarding=1", interface)));
    }
  }
  if (read_file("/proc/sys/net/ipv6/conf/all/forwarding") != "1\n" && patient.uses_ipv6 && asperaproxy::has_ipv6()) {
    found.push_back(fail("net.ipv6.conf.all.forwarding is not 1, but aspera.conf has rules for IPv6", kStartCure));
  }
  if (found.empty()) found.push_back(ok(patient.uses_ipv6 ? "on, for IPv6 too" : "on"));
  return found;
}

Verdicts conntrack_table(const Patient&) {
  const auto number = [](const char* path) { return std::strtoull(read_file(path).c_str(), nullptr, 10); };
  const auto max = number("/proc/sys/net/netfilter/nf_conntrack_max");
  if (max == 0) return {fail("the kernel does not track connections", "modprobe nf_conntrack")};
  return {judge_conntrack(number("/proc/sys/net/netfilter/nf_conntrack_count"), max)};
}

Verdicts accounting(const Patient&) {
  if (read_file("/proc/sys/net/netfilter/nf_conntrack_acct") == "1\n") return {ok("bytes are counted")};
  return {warn("net.netfilter.nf_conntrack_acct is not 1, so that the log has no bytes", kStartCure)};
}

Verdicts hosts(const Patient&) { return {judge_hosts(read_file("/etc/hosts"))}; }

Verdicts clock(const Patient&) {
  timex now{};
  const bool synchronised = ::adjtimex(&now) != TIME_ERROR && (now.status & STA_UNSYNC) == 0;
  return {judge_clock(std::time(nullptr), synchronised)};
}

Verdicts selinux(const Patient&) { return {judge_selinux(read_file("/sys/fs/selinux/enforce"))}; }

Verdicts syslog(const Patient&) {
  if (::access("/dev/log", F_OK) == 0) return {ok("listens")};
  return {warn("nobody listens on /dev/log, so that there is no log", "start rsyslog, or systemd-journald")};
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
    return {fail(*wrong + ", so that cron does not run asp-reap", "make install writes it anew")};
  Verdict table = judge_cron(read_file(kCronTable), std::string(paths::kBin) + "asp-reap");
  if (table.grade != Grade::ok) return {table};
  if (!cron_runs())
    return {fail("cron does not run, so that nobody clears up after killed sessions",
                 "systemctl enable --now cron (crond where there is dnf)")};
  return {table};
}

}  // namespace

const std::vector<Condition>& system_conditions() {
  static const std::vector<Condition> all{{"state", state},
                                          {"config", configuration},
                                          {"log_directory", log_directory},
                                          {"tools", tools},
                                          {"aspshell", aspshell},
                                          {"ip_forward", ip_forward},
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
