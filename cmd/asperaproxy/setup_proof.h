// setup_proof: tries what `asperaproxy setup` has set up: logs in to each server as sessions do, and has a session
// of its own from a network of its own, through sshd, sudo and the kernel.
#pragma once

#include <string>
#include <string_view>

#include "setup_answers.h"
#include "verdict.h"

namespace asperaproxy::setup {

struct Proof {
  bool let_in = true;  // the servers take the keys
  bool whole = true;   // all works, as far as it can be tried from here
};
// Prints a line for each trial, and what the doctor finds. Takes at most a minute for each address and each server.
Proof prove(const Answers& answers);

// Pure. What the end of asp-cp, which fetched a file through the proxy, says of the session.
doctor::Verdict judge_session(int status, std::string_view said);

}  // namespace asperaproxy::setup
