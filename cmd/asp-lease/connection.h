// connection: who asks, in the kernel's own words: the TCP connection that came
// along with a request.
#pragma once

#include <vector>

#include "base/address.h"
#include "base/fd.h"
#include "config/config.h"

struct Connection {
  IpAddress client;
  IpAddress proxy;  // the address of ours that he called

  // Refusal unless `socket` is an established TCP connection of this network
  // namespace, made to one of the listeners of aspera.conf, by somebody else than
  // this host (`own`), who is of the network that <bind_ip_netmask> names.
  static Connection verify(const Fd& socket, const config::Config& config, const std::vector<Network>& own);
};
