#include "lease_base.h"

#include "firewall.h"
#include "spool.h"

namespace lease_base {

bool ensure(firewall_text::Family family) {
  const spool::FirewallLock lock;
  if (spool::stopped() || firewall::look_at_base(family) == firewall_text::Base::present) return false;
  firewall::lay(family, spool::living());
  return true;
}

}  // namespace lease_base
