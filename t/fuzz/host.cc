// What the host says of itself: /proc, sysctl, sshd -T, sudo -l, files of /etc.
//
// Input: two texts, with a \f between
//
// options: -max_len=8192
#include "../../cmd/asperaproxy/judge.h"
#include "../../cmd/asperaproxy/kernel.h"
#include "../../cmd/asperaproxy/sockets.h"
#include "../../cmd/asperaproxy/sudo_settings.h"
#include "base/process.h"
#include "fuzz.h"

namespace {

const std::vector<std::string> kHelpers{"/opt/aspera/proxy/libexec/asp-pinhole", "/opt/aspera/proxy/libexec/asp-lease"};

void processes(const std::string& stat, const std::string& status) {
  const auto found = process::parse(stat, status);
  if (!found) return;
  fuzz::must(found->pid > 0 && found->parent >= 0, "a process has a number");
  fuzz::must(found->token() == std::to_string(found->pid) + "." + std::to_string(found->started), "and a token");
  fuzz::must(found->is_of(found->real_uid()), "it is its user's");
  // A name that the process chose itself, even with the looks of the rest, changes nothing.
  const std::string start = std::to_string(found->pid) + " (";
  const auto end = stat.rfind(')');
  const auto forged = process::parse(start + "x) Z 1 (" + stat.substr(end), status);
  fuzz::must(forged && forged->state == found->state && forged->started == found->started, "a name forges nothing");
}

}  // namespace

void fuzz::one(std::string_view input) {
  const auto texts = fuzz::parts(input, 2);
  processes(texts[0], texts[1]);
  for (const bool udp : {false, true}) sockets::listening(input, udp);
  asperaproxy::advertised_on(texts[0]);
  for (const auto& setting : sudo_settings::in_force(input, kHelpers))
    fuzz::must(!setting.empty(), "a setting has a name");
  sudo_settings::written_in(input);
  doctor::other_rights(input, kHelpers);
  doctor::judge_sshd(input, "/usr/bin/aspshell");
  fuzz::must(!doctor::ssh_ports(input).empty(), "sshd has a port");
  for (const Port port : doctor::ports_of(input)) fuzz::must(port != 0, "a port is a port");
  doctor::judge_hosts(input);
  doctor::judge_cron(input, "/opt/aspera/proxy/bin/asp-reap");
  doctor::judge_local_ports({5000, 10000}, texts[0], texts[1]);
  doctor::judge_selinux(input);
}
