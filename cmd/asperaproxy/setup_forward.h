// setup_forward: what `asperaproxy setup` does for the forward proxy alone, and how it is proved.
#pragma once

#include <string>

#include "setup_step.h"
#include "verdict.h"

namespace asperaproxy::setup {

constexpr char kLeaseAccount[] = "transfer_user";  // that node users stand for

Step node_user_step(const Answers& answers, const Journal& journal);
Step node_service_step(const Answers& answers, const Journal& journal);

// Leases a way to the server outside, from a network beside the host, and asks that server for its host keys through
// it.
doctor::Verdict lease_of(const Answers& answers);

// SHA-256 of the node service's certificate, as people compare it; empty: it cannot be read.
std::string certificate_print();
Port node_port();

}  // namespace asperaproxy::setup
