// http/shares: how many connections each network may have, so that nobody takes all that there are: by
// address, and by the networks that one host or one site may have addresses of. Pure.
//
//   203.0.113.7       200      2001:db8:2:3::/64  200
//   203.0.113.0/24    600      2001:db8:2::/56    400
//                              2001:db8:2::/48    600
#pragma once

#include <map>
#include <utility>

#include "base/address.h"

namespace shares {

class Shares {
 public:
  // True if one more of `client` is within all its limits.
  bool admit(const IpAddress& client) const;
  void add(const IpAddress& client);
  void remove(const IpAddress& client);
  bool empty() const { return counts_.empty(); }

 private:
  std::map<std::pair<IpAddress, int>, unsigned> counts_;  // by network and prefix
};

}  // namespace shares
