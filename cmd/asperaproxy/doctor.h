// doctor: the conditions under which sessions work. Each is a function that asks the system and judges
// (judge.h). None of them changes anything.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "verdict.h"

namespace doctor {

// Facts that several conditions need; found out once.
struct Patient {
  std::optional<config::Rproxy> rproxy;  // absent: aspera.conf is wrong
  std::optional<config::Proxy> proxy;    // absent likewise
  std::optional<config::Node> node;
  std::optional<config::Config> config;  // the whole
  std::string config_error;
  std::optional<config::Cluster> cluster;  // present: it is enabled
  std::vector<std::string> users;          // members of the group sallyport, sorted
  bool has_group = false;
  bool uses_ipv6 = false;     // may_serve_ipv6
  std::string sshd_settings;  // sshd -T
  std::string sshd_error;
};
Patient examine();

// True if some rule may serve clients by IPv6.
bool may_serve_ipv6(const config::Rproxy& rproxy);

using Verdicts = std::vector<Verdict>;
struct Condition {
  const char* name;
  Verdicts (*look)(const Patient& patient);
};

// The conditions by subject, one file each: check_system.cc, check_firewall.cc, check_accounts.cc,
// check_sshd.cc, check_servers.cc, check_forward.cc, check_cluster.cc.
const std::vector<Condition>& system_conditions();
const std::vector<Condition>& firewall_conditions();
const std::vector<Condition>& account_conditions();
const std::vector<Condition>& sshd_conditions();
const std::vector<Condition>& server_conditions();
const std::vector<Condition>& forward_conditions();
const std::vector<Condition>& cluster_conditions();

// --- for the conditions ---

// Runs a program as root, with empty stdin. A missing program is a status 127 with its reason in err.
struct Answer {
  int status;
  std::string out;
  std::string err;
  bool well() const { return status == 0; }
  std::string first_complaint() const;  // the first line of err, otherwise of out
};
Answer ask(const std::vector<std::string>& argv);
// Empty when there is no such file.
std::string read_file(const std::string& path);
// True if a program listens on that TCP port, on whatever address.
bool listens(Port port);
// What sshd applies to that user: `sshd -T -C`.
std::string settings_of(const std::string& user);
// True if a program listens on a port where users reach sshd.
bool sshd_listens();
// "bear, bobcat and 3 more"
std::string listed(const std::vector<std::string>& names);

}  // namespace doctor
