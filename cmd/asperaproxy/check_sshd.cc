// Checks of sshd: the settings that really apply to each user, and the ports where it listens.
#include <pwd.h>

#include <algorithm>
#include <map>

#include <fmt/core.h>

#include "base/accounts.h"
#include "base/cut.h"
#include "base/paths.h"
#include "doctor.h"
#include "judge.h"
#include "sshd_contexts.h"

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
  const auto ports = ssh_ports(general_settings().text);
  return std::any_of(ports.begin(), ports.end(), listens);
}

const Applied& applied_to(const std::string& user, const std::string& kind) {
  static std::map<std::pair<std::string, std::string>, Applied> known;
  const auto [at, is_new] = known.try_emplace({user, kind});
  if (!is_new) return at->second;
  const auto answer = ask({"/usr/sbin/sshd", "-T", "-C", fmt::format("user={},{}", user, kind)});
  if (answer.well()) at->second.text = answer.out;
  else at->second.error = answer.first_complaint();
  return at->second;
}

const Applied& general_settings() {
  return applied_to("root", "host=192.0.2.1,addr=192.0.2.1,laddr=127.0.0.1,lport=22");
}

std::string settings_of(const std::string& user) {
  return applied_to(user, sshd_contexts::contexts().kinds.front()).text;
}

namespace {

// In each kind of connection; what all have in common is told once, and otherwise the first that has it.
Complaints complaints_of(const std::string& user, const std::vector<std::string>& kinds) {
  Complaints all;
  const auto add = [](std::vector<std::string>& to, const std::string& text, const std::string& kind) {
    if (std::none_of(to.begin(), to.end(), [&](const auto& known) { return known.starts_with(text); }))
      to.push_back(text + kind);
  };
  for (const auto& kind : kinds) {
    const auto complaints = judge_sshd(applied_to(user, kind).text, std::string(paths::kBin) + "aspshell");
    const std::string where = kind == kinds.front() ? "" : fmt::format(" ({})", kind);
    for (const auto& text : complaints.failures) add(all.failures, text, where);
    for (const auto& text : complaints.warnings) add(all.warnings, text, where);
  }
  return all;
}

// Who is kept out, by what, in some kind of connection.
Verdicts kept_out(const std::vector<std::string>& users) {
  std::map<std::string, std::vector<std::string>> why;
  for (const auto& user : users) {
    for (const auto& kind : sshd_contexts::contexts().kinds) {
      for (const auto& text : judge_admission(applied_to(user, kind).text, user, accounts::groups_of(user))) {
        auto& those = why[text];
        if (std::find(those.begin(), those.end(), user) == those.end()) those.push_back(user);
      }
    }
  }
  Verdicts found;
  for (const auto& [text, those] : why)
    found.push_back(fail(fmt::format("{} {}", text, listed(those)),
                         fmt::format("grep -rn {} /etc/ssh/sshd_config*  # change it, and reload sshd",
                                     text.substr(0, text.find(' ')))));
  return found;
}

Verdicts sshd(const Patient& patient) {
  if (!patient.sshd_error.empty()) return {fail(patient.sshd_error, "sshd -t")};
  Verdicts found = kept_out(patient.users);
  // The same message for many users makes one line.
  std::map<std::string, std::vector<std::string>> failures;
  std::map<std::string, std::vector<std::string>> warnings;
  std::vector<std::string> well;
  const auto& kinds = sshd_contexts::contexts().kinds;
  for (const auto& user : patient.users) {
    const auto complaints = complaints_of(user, kinds);
    for (const auto& text : complaints.failures) failures[text].push_back(user);
    for (const auto& text : complaints.warnings) warnings[text].push_back(user);
    if (complaints.failures.empty()) well.push_back(user);
  }
  const std::string cure = kSampleInForce;
  for (const auto& [text, users] : failures) found.push_back(fail(fmt::format("{} for {}", text, listed(users)), cure));
  for (const auto& [text, users] : warnings) found.push_back(warn(fmt::format("{} for {}", text, listed(users)), cure));
  for (const auto& text : judge_startups(patient.sshd_settings)) found.push_back(warn(text, cure));
  if (!well.empty() && failures.empty() && kept_out(patient.users).empty())
    found.push_back(ok(fmt::format("confines {}", listed(well))));
  return found;
}

Verdict judge_port(Port port, bool configured) {
  if (listens(port)) return ok(fmt::format("somebody listens on TCP {}", port));
  if (configured)
    return fail(fmt::format("sshd is to listen on TCP {}, but does not", port),
                "systemctl reload ssh  # sshd where there is dnf; ssh.socket has ports of its own");
  return fail(fmt::format("nobody listens on TCP {}", port), kSampleInForce);
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
