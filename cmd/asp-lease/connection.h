// connection: the client of a request, according to the kernel: the TCP connection that came with the
// request.
#pragma once

#include <vector>

#include "base/address.h"
#include "base/fd.h"
#include "config/config.h"

struct Connection {
  IpAddress client;
  IpAddress proxy;  // the address of ours that the client connected to

  // Refusal unless `socket` is an established TCP connection of this network namespace, begun by its far end
  // according to the kernel's table of flows, to one of the listeners of aspera.conf, from another host than this one
  // (`own`), within the network that <bind_ip_netmask> names.
  static Connection verify(const Fd& socket, const config::Config& config, const std::vector<Network>& own);
};
