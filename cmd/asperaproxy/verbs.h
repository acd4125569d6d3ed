// verbs: what asperaproxy can be told to do. Each answers on stdout and returns
// the exit status.
#pragma once

#include <string>
#include <vector>

namespace asperaproxy {

// Failure{77} when we are not root.
void require_root();

// The service. stop ends every session and takes all rules away; start undoes
// that, and gets kernel and firewall ready; reload checks the configuration, and
// puts back what is missing. Failure{71}; {78} when aspera.conf is wrong.
int start();
int stop();
int restart();
int reload();

// How things are, as a record; tool::no when living sessions lack what they need.
int status();

// The doctor: one line for each condition; tool::no when one of them fails. The
// words behind the verb: --json.
int check(const std::vector<std::string>& words);

// From now on, or no longer, sessions are refused with a temporary status;
// those that live go on. Either is no error when it is so already.
int drain();
int undrain();

// No new session goes to that server, or does so again. The words: HOST[:PORT],
// and for fault a reason. Failure{65} when no rule leads there.
int fault(const std::vector<std::string>& words);
int heal(const std::vector<std::string>& words);

// Writes the configuration of keepalived, conntrackd, Redis and Sentinel for a node
// of the cluster. The words: [--config FILE] [--node NAME] [DIRECTORY]. Failure{78}.
int cluster_config(const std::vector<std::string>& words);

// What keepalived calls: this node has become master, or is no longer; tool::os when
// the other node's flows could not be had. health: tool::no says that another node
// should be master, and why on stdout.
int takeover();
int standby();
int health();

// Writes to /etc/sudoers.d what this host's sudo is to leave alone. Failure{71}.
int sudoers();

// Enrols host keys. The words: [--fingerprint SHA256:...] [--replace] [HOST[:PORT]].
// Failure{69} when the server shows no key, {76} when it is not the right one.
int trust(const std::vector<std::string>& words);

}  // namespace asperaproxy
