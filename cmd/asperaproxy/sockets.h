// sockets: the listeners on this host, as the kernel lists them (proc(5), net/tcp).
#pragma once

#include <string_view>
#include <vector>

#include "base/address.h"

namespace sockets {

// Listeners of /proc/net/tcp or tcp6, or, with `udp`, the bound sockets of udp or udp6 that are not
// connected. Pure; lines of another form are skipped.
std::vector<Endpoint> listening(std::string_view table, bool udp);

}  // namespace sockets
