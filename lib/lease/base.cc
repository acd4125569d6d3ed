#include "lease/base.h"

#include "firewall/firewall.h"
#include "session/spool.h"

namespace lease::base {

bool ensure(firewall::text::Family family) {
  auto& backend =
      firewall::backend(family == firewall::text::Family::v4 ? firewall::Part::iptables : firewall::Part::ip6tables);
  const session::spool::FirewallLock lock;
  if (session::spool::stopped() || backend.inspect_base() == firewall::text::Base::present) return false;
  backend.lay(session::spool::living());
  return true;
}

}  // namespace lease::base
