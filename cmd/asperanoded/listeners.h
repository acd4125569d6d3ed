// listeners: the sockets of the node service, bound as root.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "http/node_api.h"

namespace asperanoded {
namespace listeners {

// Binds one socket for each listener; without an address, one for each family that the host has.
// Failure{78}: no such address, no listener at all. Failure{71}: taken.
std::vector<node_api::Listening> bind_all(const config::Config& config);

// "9091,9092s": each once, in the order of aspera.conf.
std::string text(const config::Node& node);
bool any_tls(const config::Node& node);

}  // namespace listeners
}  // namespace asperanoded
