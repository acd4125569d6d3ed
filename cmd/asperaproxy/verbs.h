// verbs: the commands of asperaproxy. Each prints its answer on stdout and returns the exit status.
#pragma once

#include <string>
#include <vector>

namespace asperaproxy {

// Failure{77} when we are not root.
void require_root();
// On stdout.
void say(const std::string& text);

// The service. stop ends every session and takes all rules out; start undoes that, and prepares kernel
// and firewall; reload checks the configuration, and restores missing rules. Failure{71}; {78} when
// aspera.conf is wrong.
int start();
int stop();
// stop, and the host is again as it was before start: no border, and no forwarding if there was none.
int leave();
int reload();

// Prints the state as a record; tool::no when living sessions lack something that they need.
int status();

// The doctor: one line for each condition; tool::no when one of them fails. `words`: --json.
int check(const std::vector<std::string>& words);

// What of the doctor's conditions asp-check.sh reports, in the guide's form; tool::no when there are findings.
// `words`: its options. Failure{71} when sshd does not say what it applies.
constexpr char kAuditUsage[] = "asp-check.sh [-v | --verbose] [--json]";
int audit(const std::vector<std::string>& words);

// New sessions are refused with a temporary status, or no longer; living ones go on. Both may be
// repeated.
int drain();
int undrain();

// No new session goes to that server, or sessions do so again. `words`: HOST[:PORT], and for fault a
// reason. Failure{65} when no rule leads there.
int fault(const std::vector<std::string>& words);
int heal(const std::vector<std::string>& words);

// Writes the configuration of keepalived, conntrackd, Redis and Sentinel for a node of the cluster.
// `words`: [--config FILE] [--node NAME] [DIRECTORY]. Failure{78}.
int cluster_config(const std::vector<std::string>& words);

// keepalived calls these: this node has become master, or no longer is; tool::os when the other node's
// flows could not be had. health: tool::no, with the reason on stdout, says that another node should
// be master.
int takeover();
int standby();
int health();

// Writes settings for this host's sudo to /etc/sudoers.d (sudo_settings.h). Failure{71}.
int sudoers();

// Enrols host keys. `words`: [--fingerprint SHA256:...] [--replace] [HOST[:PORT]]. Failure{69} when
// the server shows no key, {76} when it is not the right one.
int trust(const std::vector<std::string>& words);

// Prints what a user outside needs to know (sheet.h). `words`: USER. Failure{65} when there is no such account, {78}
// when no rule is for them.
int sheet(const std::vector<std::string>& words);

// From a bare host to a proxy that works, proved by a session, or back to the bare host. `words`: setup_answers.h.
// tool::no: something does not work yet, or could not be taken back. Failure{64, 71, 76, 77, 78}: a step failed.
int set_up(const std::vector<std::string>& words);

}  // namespace asperaproxy
