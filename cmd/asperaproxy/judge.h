// judge: verdicts on what the system says of itself. Pure: text in, verdict out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "address.h"
#include "packet_filter.h"
#include "verdict.h"

namespace doctor {

// What iptables --version says ("iptables v1.8.9 (nf_tables)"), and what the -save
// of its other backend does.
Verdict judge_iptables(std::string_view version, std::string_view others);
// nf_conntrack_count and nf_conntrack_max.
Verdict judge_conntrack(std::uint64_t count, std::uint64_t max);
// /etc/hosts: 127.0.0.1 must be localhost (guide, "Configuring the kernel").
Verdict judge_hosts(std::string_view text);
// /etc/cron.d/sallyport, which is to run `reaper` each minute.
Verdict judge_cron(std::string_view text, const std::string& reaper);
// `sudo -l -U user`: what else than `pinhole` root grants him. Empty when it is
// that alone; the rights themselves are tried, not read.
std::string other_rights(std::string_view text, const std::vector<std::string>& helpers);
// Seconds since 1970, and whether the kernel's clock is synchronised.
Verdict judge_clock(std::int64_t now, bool synchronised);
// /sys/fs/selinux/enforce; empty when there is no such file.
Verdict judge_selinux(std::string_view enforce);
// What a firewall does to the packets of sessions.
Verdict judge_fate(const packet_filter::Fate& fate, const std::string& packets, const std::string& cure);

// `sshd -T -C user=...`: what is wrong for one user, one text each.
struct Complaints {
  std::vector<std::string> failures;
  std::vector<std::string> warnings;
};
Complaints judge_sshd(std::string_view settings, const std::string& shell);
// The ports of `sshd -T`.
std::vector<Port> ports_of(std::string_view settings);

}  // namespace doctor
