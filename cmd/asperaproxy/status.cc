#include <unistd.h>

#include <algorithm>

#include "base.h"
#include "io.h"
#include "record.h"
#include "spool.h"
#include "tool.h"
#include "verbs.h"

namespace asperaproxy {

int status() {
  using firewall_text::Family;
  const auto living = spool::living();
  Record answer;
  answer.add("drained", spool::drained() ? "yes" : "no");
  answer.add("sessions", std::to_string(living.size()));
  bool well = true;
  for (const auto& [name, family] : {std::pair{"base_ipv4", Family::v4}, {"base_ipv6", Family::v6}}) {
    const Base base = look_at_base(family);
    answer.add(name, name_of(base));
    // Without sessions nothing of it is needed.
    const bool needed = std::any_of(living.begin(), living.end(), [&](const Session& session) { return firewall_text::family_of(session) == family; });
    well = well && (base == Base::present || !needed);
  }
  std::string text = answer.text();
  text.pop_back();  // the empty line that ends a record: for people, and the last one
  io::write_all(STDOUT_FILENO, text);
  return well ? tool::yes : tool::no;
}

}  // namespace asperaproxy
