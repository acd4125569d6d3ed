#include <unistd.h>

#include <algorithm>
#include <string>

#include "base/failure.h"
#include "base/io.h"
#include "base/logging.h"
#include "base/record.h"
#include "firewall/firewall.h"
#include "lease/local.h"
#include "session/spool.h"
#include "verbs.h"

namespace asperaproxy {
namespace {

// The word that status prints; "unusable" when the firewall cannot be read.
const char* base_word(firewall::Part part) {
  using firewall::text::Base;
  try {
    switch (firewall::backend(part).inspect_base()) {
      case Base::present: return "present";
      case Base::absent: return "absent";
      case Base::damaged: return "damaged";
    }
  } catch (const tool::Failure& failure) {
    logging::error("{}", logging::escape(failure.what()));
  }
  return "unusable";
}

}  // namespace

int status() {
  using firewall::Part;
  const auto living = session::spool::living();
  Record answer;
  answer.add("stopped", session::spool::stopped() ? "yes" : "no");
  answer.add("drained", session::spool::drained() ? "yes" : "no");
  answer.add("sessions", std::to_string(living.size()));
  bool well = true;
  for (const auto& [name, part] :
       {std::pair{"base_ipv4", Part::iptables}, {"base_ipv6", Part::ip6tables}, {"base_nftables", Part::nftables}}) {
    const std::string base = base_word(part);
    answer.add(name, base);
    // Without sessions none of it is needed.
    const bool needed = std::any_of(living.begin(), living.end(), [&, of = part](const session::Session& session) {
      return firewall::part_of(session) == of;
    });
    well = well && (base == "present" || !needed);
  }
  answer.add("leases", std::to_string(lease::local::count()));
  std::string text = answer.text();
  text.pop_back();  // the empty line that ends a record: people read this, and there is only one
  io::write_all(STDOUT_FILENO, text);
  return well ? tool::yes : tool::no;
}

}  // namespace asperaproxy
