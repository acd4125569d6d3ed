// stranger: a proxy whose certificate no authority vouches for. A person may compare its fingerprint, as
// ssh(1) asks about host keys; it is remembered, and refused when it is another one later.
#pragma once

#include <string>

#include "base/address.h"
#include "base/failure.h"
#include "base/signals.h"

namespace forward::stranger {

// Asks on the terminal whether `shown` (as node_client::show_fingerprint has it) is right, and remembers it
// then. False without a terminal. Failure{76}: the answer is no; {128+n} by a signal meanwhile.
bool accepted(const HostPort& proxy, const std::string& shown, Signals& signals);

// The certificate is not the one that is remembered: Failure{76} that says so, and the way out.
[[noreturn]] void explain_changed(const HostPort& proxy, const tool::Failure& failure);

}  // namespace forward::stranger
