// sockets: who listens on this host, as the kernel lists it (proc(5), net/tcp).
#pragma once

#include <string_view>
#include <vector>

#include "base/address.h"

namespace sockets {

// Listeners of /proc/net/tcp or tcp6, or, with `udp`, the bound sockets of
// udp or udp6 that are not connected. Pure; lines of another form are passed over.
std::vector<Endpoint> listening(std::string_view table, bool udp);

}  // namespace sockets
