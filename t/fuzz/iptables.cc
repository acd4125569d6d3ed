// What iptables prints: our chains and jumps, and everybody's rules.
//
// Input: iptables -S of table nat, or iptables-save \f that of table filter
//
// options: -max_len=8192
#include "../../cmd/asperaproxy/judge.h"
#include "../../cmd/asperaproxy/packet_filter.h"
#include "base/cut.h"
#include "firewall/text.h"
#include "fuzz.h"

namespace {

firewall::text::Lines lines(const std::string& text) {
  const auto all = cut::lines(text);
  return {all.begin(), all.end()};
}

void ours(const std::string& nat, const std::string& filter) {
  using namespace firewall::text;
  const auto found = standing(lines(nat), lines(filter));
  for (const auto& jump : found.jumps) fuzz::must(all_jumps().contains(jump), "a jump is one of ours");
  // Each line of what is laid is a command, one of the other's rules that is removed, or a table.
  for (const auto& text : {accepting(found), base(Family::v4, {}, found), purge(found)}) {
    for (const auto line : cut::lines(text))
      fuzz::must(line.starts_with('-') || line.starts_with('*') || line.starts_with(':') || line == "COMMIT",
                 "what is laid has the form of iptables-restore");
  }
  const auto judged = judge_base(lines(nat), lines(filter));
  if (found.outdated()) fuzz::must(judged != Base::present, "with old rules or chains the base is damaged");
  for (const auto& line : lines(nat)) fuzz::must(!is_jump(line) || !is_session_rule(line), "a rule is one thing");
}

}  // namespace

void fuzz::one(std::string_view input) {
  const auto tables = fuzz::parts(input, 2);
  ours(tables[0], tables[1]);
  for (const bool translated : {false, true}) {
    const auto chains = packet_filter::read_iptables(input, {"udp", 33001, true, translated});
    for (const char* hook : {"forward", "prerouting", "input"}) {
      const auto fate = packet_filter::at_hook(chains, hook);
      fuzz::must((fate.dropped == packet_filter::Answer::no) == fate.by.empty(),
                 "what drops has a name, or nothing does");
    }
  }
  doctor::judge_iptables(tables[0], tables[1], "/usr/sbin/iptables-legacy");
}
