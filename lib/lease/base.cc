#include "lease/base.h"

#include "firewall/firewall.h"
#include "session/spool.h"

namespace lease::base {

bool ensure(firewall::text::Family family) {
  const auto part = family == firewall::text::Family::v4 ? firewall::Part::iptables : firewall::Part::ip6tables;
  const session::spool::FirewallLock lock;
  if (session::spool::stopped() || firewall::look_at_base(part) == firewall::text::Base::present) return false;
  firewall::lay(part, session::spool::living());
  return true;
}

}  // namespace lease::base
