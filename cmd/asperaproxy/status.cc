#include <unistd.h>

#include <algorithm>
#include <string>

#include "firewall.h"
#include "io.h"
#include "lease_store.h"
#include "logging.h"
#include "record.h"
#include "spool.h"
#include "tool.h"
#include "verbs.h"

namespace asperaproxy {
namespace {

// The word that status prints; "unusable" when iptables(8) cannot be asked.
const char* base_word(firewall_text::Family family) {
  using firewall_text::Base;
  try {
    switch (firewall::look_at_base(family)) {
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
  using firewall_text::Family;
  const auto living = spool::living();
  Record answer;
  answer.add("stopped", spool::stopped() ? "yes" : "no");
  answer.add("drained", spool::drained() ? "yes" : "no");
  answer.add("sessions", std::to_string(living.size()));
  answer.add("leases", std::to_string(lease_store::count()));
  bool well = true;
  for (const auto& [name, family] : {std::pair{"base_ipv4", Family::v4}, {"base_ipv6", Family::v6}}) {
    const std::string base = base_word(family);
    answer.add(name, base);
    // Without sessions nothing of it is needed.
    const bool needed = std::any_of(living.begin(), living.end(), [&](const Session& session) { return firewall_text::family_of(session) == family; });
    well = well && (base == "present" || !needed);
  }
  std::string text = answer.text();
  text.pop_back();  // the empty line that ends a record: for people, and the last one
  io::write_all(STDOUT_FILENO, text);
  return well ? tool::yes : tool::no;
}

}  // namespace asperaproxy
