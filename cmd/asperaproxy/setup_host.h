// setup_host: what the host shows of itself, for the questions and steps of `asperaproxy setup`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/address.h"

namespace asperaproxy::setup {

// The text of a file; one that is not there is an absent text. Failure{71}.
using Text = std::optional<std::string>;
Text text_of(const std::string& path);

// The addresses of its interfaces, without loopback and link-local ones. Failure{71}.
std::vector<IpAddress> own_addresses();

// Those where clients may come: of the interfaces of the default routes; if there are none, of all interfaces but
// those that lead to the servers. All, if there is one interface alone. Names are looked up. Failure{71}.
std::vector<IpAddress> addresses_outside(const std::vector<HostPort>& servers);

// That where people inside come: on the way to the first server, or the only one that is not of the interfaces of the
// default routes. Absent: it cannot be told. Failure{71}.
std::optional<IpAddress> address_inside(const std::vector<HostPort>& servers);

// The addresses of a server, 5 s at most; none: its name has none now. Failure{71}.
std::vector<IpAddress> addresses_of(const HostPort& server);

// Our own address on the way to that one. Absent: there is no way.
std::optional<IpAddress> address_towards(const IpAddress& address);

// True if the kernel forwards already, and not because the suite has turned that on.
bool forwards_for_others();

// True if there is somebody to ask on the terminal, wherever standard input leads.
bool has_terminal();

// True for what asp-adduser takes for a name.
bool is_user_name(const std::string& text);

// "256 SHA256:... bear@laptop (ED25519)" as ssh-keygen shows a public key; empty: it is none.
std::string fingerprint_of(const std::string& public_key);

}  // namespace asperaproxy::setup
