// sshd: what it really applies to each user, and where it listens.
#include <pwd.h>

#include <map>
#include <sstream>

#include <fmt/core.h>

#include "base/paths.h"
#include "doctor.h"
#include "judge.h"

namespace doctor {
namespace {

constexpr Port kPort = 33001;
constexpr char kListens[] = "0A";  // TCP_LISTEN in /proc/net/tcp

}  // namespace

bool listens(Port port) {
  const std::string wanted = fmt::format(":{:04X}", port);
  for (const char* path : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::istringstream lines(read_file(path));
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string number, local, remote, state;
      words >> number >> local >> remote >> state;
      if (state == kListens && local.ends_with(wanted)) return true;
    }
  }
  return false;
}

namespace {

std::string settings_of(const std::string& user) {
  return ask({"/usr/sbin/sshd", "-T", "-C", fmt::format("user={},host=localhost,addr=127.0.0.1", user)}).out;
}

Verdicts sshd(const Patient& patient) {
  if (!patient.sshd_error.empty()) return {fail(patient.sshd_error, "sshd -t says the line")};
  Verdicts found;
  // The same words for many users make one line.
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
  if (!well.empty() && failures.empty()) found.push_back(ok(fmt::format("confines {}", listed(well))));
  return found;
}

Verdicts ssh_port(const Patient& patient) {
  bool configured = false;
  for (const Port port : ports_of(patient.sshd_settings)) configured = configured || port == kPort;
  if (listens(kPort)) return {ok(fmt::format("somebody listens on TCP {}", kPort))};
  if (configured)
    return {fail(fmt::format("sshd is to listen on TCP {}, but does not", kPort),
                 "systemctl reload ssh (sshd where there is dnf; ssh.socket has ports of its own)")};
  return {fail(
      fmt::format("nobody listens on TCP {}", kPort),
      fmt::format("cp {}/etc/sshd_config.d/sallyport.conf /etc/ssh/sshd_config.d/, and reload sshd", paths::kPrefix))};
}

}  // namespace

const std::vector<Condition>& sshd_conditions() {
  static const std::vector<Condition> all{{"sshd", sshd}, {"ssh_port", ssh_port}};
  return all;
}

}  // namespace doctor
