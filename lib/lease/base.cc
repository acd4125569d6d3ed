#include "lease/base.h"

#include "firewall/iptables.h"
#include "session/spool.h"

namespace lease::base {

bool ensure(firewall::text::Family family) {
  auto& backend = firewall::iptables::backend(family);
  const session::spool::FirewallLock lock;
  if (session::spool::stopped() || backend.inspect_base() == firewall::text::Base::present) return false;
  backend.lay(session::spool::living());
  return true;
}

}  // namespace lease::base
