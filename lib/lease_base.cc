#include "lease_base.h"

#include "firewall.h"
#include "spool.h"

namespace lease_base {

bool ensure(firewall_text::Family family) {
  const auto part = family == firewall_text::Family::v4 ? firewall::Part::iptables : firewall::Part::ip6tables;
  const spool::FirewallLock lock;
  if (spool::stopped() || firewall::look_at_base(part) == firewall_text::Base::present) return false;
  firewall::lay(part, spool::living());
  return true;
}

}  // namespace lease_base
