// doctor: the conditions under which sessions work. Each is a function that asks the system and judges
// (judge.h). None of them changes anything.
#pragma once

#include <functional>
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
  std::string name;
  std::function<Verdicts(const Patient& patient)> look;
};

// The conditions by subject, one file each: check_system.cc, check_firewall.cc, check_accounts.cc,
// check_sshd.cc, check_servers.cc, check_forward.cc, check_cluster.cc, check_node.cc, check_security.cc.
const std::vector<Condition>& system_conditions();
const std::vector<Condition>& firewall_conditions();
const std::vector<Condition>& account_conditions();
const std::vector<Condition>& sshd_conditions();
const std::vector<Condition>& server_conditions();
const std::vector<Condition>& forward_conditions();
const std::vector<Condition>& cluster_conditions();
const std::vector<Condition>& node_conditions();
const std::vector<Condition>& security_conditions();  // those that asp-check.sh reports, too

// True where accounts are served on this host, and it is not a proxy: then no other condition is looked at.
bool is_node_only(const Patient& patient);

// --- for the conditions ---

// A cure: what sshd needs, in force.
constexpr char kSampleInForce[] =
    "cp " SALLYPORT_PREFIX
    "/etc/sshd_config.d/sallyport.conf /etc/ssh/sshd_config.d/ && sshd -t; systemctl reload ssh  # sshd takes the "
    "first line of a kind that it reads";

// Runs a program as root, with empty stdin. A missing program is a status 127 with its reason in err.
struct Answer {
  int status;
  std::string out;
  std::string err;
  bool well() const { return status == 0; }
  std::string first_complaint() const;  // the first line of err, otherwise of out
};
Answer ask(const std::vector<std::string>& argv);
// The same, but what this process has asked so before is not run again: for conditions, which change nothing.
const Answer& ask_once(const std::vector<std::string>& argv);
// Empty when there is no such file.
std::string read_file(const std::string& path);
// True if a program listens on that TCP port, on whatever address.
bool listens(Port port);
// What sshd applies to that user in one kind of connection (sshd_contexts.h): `sshd -T -C`. Asked once.
struct Applied {
  std::string text;
  std::string error;  // instead of the text
};
const Applied& applied_to(const std::string& user, const std::string& kind);
// sshd's settings for no particular user. A mere `sshd -T` fails where Match lines look at connections.
const Applied& general_settings();
// The text for a connection from outside.
std::string settings_of(const std::string& user);
// True if a program listens on a port where users reach sshd.
bool sshd_listens();
// A cure of what root_only::complaint says of `path`.
Steps cure_of_root_only(const std::string& path);
// The command for a shell; where an account other than root can change the way to `path`, under that account: by the
// time that somebody pastes the command, there may be a link.
std::string command_at(const std::string& path, Steps::value_type words);
// The same command for each of `names`, which take the place of "USER" in it: "gpasswd -d bear sallyport; …".
std::string for_each(const std::vector<std::string>& names, std::vector<std::string> words);
// "bear, bobcat and 3 more"
std::string listed(const std::vector<std::string>& names);

}  // namespace doctor
