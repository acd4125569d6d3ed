// Checks of sshd: the settings that really apply to each user, and the ports where it listens.
#include <pwd.h>

#include <algorithm>
#include <map>

#include <fmt/core.h>

#include "base/cut.h"
#include "base/paths.h"
#include "doctor.h"
#include "judge.h"

namespace doctor {
namespace {

constexpr char kListenState[] = "0A";  // TCP_LISTEN in /proc/net/tcp

}  // namespace

bool listens(Port port) {
  const std::string wanted = fmt::format(":{:04X}", port);
  for (const char* path : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    const std::string table = read_file(path);
    for (const auto line : cut::lines(table)) {
      const auto words = cut::words(line);
      if (words.size() > 3 && words[3] == kListenState && words[1].ends_with(wanted)) return true;
    }
  }
  return false;
}

// Tries the usual ports first, since keepalived asks every second. systemd's ssh.socket may listen on
// them, whatever sshd is configured for.
bool sshd_listens() {
  if (listens(kUsualSshPort) || listens(22)) return true;
  const auto ports = ssh_ports(ask({"/usr/sbin/sshd", "-T"}).out);
  return std::any_of(ports.begin(), ports.end(), listens);
}

std::string settings_of(const std::string& user) {
  return ask({"/usr/sbin/sshd", "-T", "-C", fmt::format("user={},host=localhost,addr=127.0.0.1", user)}).out;
}

namespace {

Verdicts sshd(const Patient& patient) {
  if (!patient.sshd_error.empty()) return {fail(patient.sshd_error, "sshd -t says the line")};
  Verdicts found;
  // The same message for many users makes one line.
  std::map<std::string, std::vector<std::string>> failures;
  std::map<std::string, std::vector<std::string>> warnings;
  std::vector<std::string> well;
  for (const auto& user : patient.users) {
    const auto complaints = judge_sshd(settings_of(user), std::string(paths::kBin) + "aspshell");
    for (const auto& text : complaints.failures) failures[text].push_back(user);
    for (const auto& text : complaints.warnings) warnings[text].push_back(user);
    if (complaints.failures.empty()) well.push_back(user);
  }
  const std::string cure = fmt::format(
      "{}/etc/sshd_config.d/sallyport.conf has the right lines; sshd takes the first of a kind that it reads",
      paths::kPrefix);
  for (const auto& [text, users] : failures) found.push_back(fail(fmt::format("{} for {}", text, listed(users)), cure));
  for (const auto& [text, users] : warnings) found.push_back(warn(fmt::format("{} for {}", text, listed(users)), cure));
  for (const auto& text : judge_startups(patient.sshd_settings)) found.push_back(warn(text, cure));
  if (!well.empty() && failures.empty()) found.push_back(ok(fmt::format("confines {}", listed(well))));
  return found;
}

Verdict judge_port(Port port, bool configured) {
  if (listens(port)) return ok(fmt::format("somebody listens on TCP {}", port));
  if (configured)
    return fail(fmt::format("sshd is to listen on TCP {}, but does not", port),
                "systemctl reload ssh (sshd where there is dnf; ssh.socket has ports of its own)");
  return fail(
      fmt::format("nobody listens on TCP {}", port),
      fmt::format("cp {}/etc/sshd_config.d/sallyport.conf /etc/ssh/sshd_config.d/, and reload sshd", paths::kPrefix));
}

// Users should have a port of their own, so that 22 can be closed towards the outside.
Verdicts ssh_port(const Patient& patient) {
  const auto configured = ports_of(patient.sshd_settings);
  Verdicts found;
  for (const Port port : ssh_ports(patient.sshd_settings)) {
    const Port wanted = port == 22 ? kUsualSshPort : port;
    const bool known = std::find(configured.begin(), configured.end(), wanted) != configured.end();
    found.push_back(judge_port(wanted, known));
  }
  return found;
}

}  // namespace

const std::vector<Condition>& sshd_conditions() {
  static const std::vector<Condition> all{{"sshd", sshd}, {"ssh_port", ssh_port}};
  return all;
}

}  // namespace doctor
