#include <unistd.h>

#include <algorithm>
#include <string>

#include "firewall.h"
#include "io.h"
#include "lease_local.h"
#include "logging.h"
#include "record.h"
#include "spool.h"
#include "tool.h"
#include "verbs.h"

namespace asperaproxy {
namespace {

// The word that status prints; "unusable" when the firewall cannot be asked.
const char* base_word(firewall::Part part) {
  using firewall_text::Base;
  try {
    switch (firewall::look_at_base(part)) {
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
  const auto living = spool::living();
  Record answer;
  answer.add("stopped", spool::stopped() ? "yes" : "no");
  answer.add("drained", spool::drained() ? "yes" : "no");
  answer.add("sessions", std::to_string(living.size()));
  bool well = true;
  for (const auto& [name, part] : {std::pair{"base_ipv4", Part::iptables}, {"base_ipv6", Part::ip6tables}, {"base_nftables", Part::nftables}}) {
    const std::string base = base_word(part);
    answer.add(name, base);
    // Without sessions nothing of it is needed.
    const bool needed = std::any_of(living.begin(), living.end(), [&, of = part](const Session& session) { return firewall::part_of(session) == of; });
    well = well && (base == "present" || !needed);
  }
  answer.add("leases", std::to_string(lease_local::count()));
  std::string text = answer.text();
  text.pop_back();  // the empty line that ends a record: for people, and the last one
  io::write_all(STDOUT_FILENO, text);
  return well ? tool::yes : tool::no;
}

}  // namespace asperaproxy
