// balance/blame: whose fault it is that a session does not come to be, or breaks off. The one table of it, and pure;
// the same as a text is in asp-upstream(8), "Whose fault it is", and a test walks it with servers that fail so.
//
// How far the connection was says more than what the other end said: a server whose host key was verified is the
// right one, and speaks SSH. Whatever ends a log-in is then the account's or the key's trouble, however it is
// worded: no account and no key can take a server from others.
#pragma once

#include <chrono>
#include <string>

#include "base/failure.h"

namespace balance::blame {

// How far a connection was when it failed.
enum class Phase {
  reach,      // the name, and TCP
  handshake,  // up to the host key
  login,      // the host key is verified: the account, the key, and the session's channel
  run,        // the session is there: the command
};

enum class Party { network, server, host_key, account, key, command, client, ours };
const char* name_of(Party party);

// What other sessions skip for a while.
enum class Mark { nothing, host, account };

// Whether this server is tried once more, before another one.
enum class Again { no, at_once, soon };

struct Verdict {
  Party party;
  Mark mark;
  bool next;  // another server may do better
  Again again;
  std::string told;  // what the user reads; empty: the usual line for the code (base/tool.h)
};

// Which failure it was: asp-dial's exit code, whether the server would have done for another client, and whether it
// failed within a moment. A busy sshd turns connections away at once (MaxStartups), and not each; one that is
// restarted refuses them for a second. So one such failure is not evidence.
struct Trouble {
  Phase phase;
  tool::Exit code;
  bool of_client = false;
  bool quick = false;
};

Verdict judge(const Trouble& trouble);

// How long a server is not asked again after so many failed log-ins in a row with one account and key. None after the
// first: whoever mended it can try at once. OpenSSH (PerSourcePenalties) adds 5 s for each, and refuses the proxy's
// address, that is everybody, from 15 s on; so the sessions of one account do not bring it there one after the other.
// Those that log in at the same moment may: none of them knows of the others' failure yet.
std::chrono::seconds pause_after(unsigned long failures, std::chrono::seconds longest);

}  // namespace balance::blame
