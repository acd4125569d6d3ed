// packet_filter: the effect of other firewalls on a packet of a session.
//
// The rules are walked as the kernel does, with three answers for each match: a match that the rule
// alone does not decide (addresses, interfaces, limits) is "maybe". So a drop is certain, possible or
// impossible. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"

namespace packet_filter {

enum class Answer { no, maybe, yes };

// The first packet of a connection that is not from the proxy itself.
struct Packet {
  std::string protocol;  // "udp", "tcp"
  Port port = 0;         // its destination
  bool v4 = true;
  bool translated = false;  // it has passed our rules: marked, and DNATed
};

struct Rule {
  Answer matches = Answer::yes;
  enum class Verdict { none, accept, drop, leave, jump, go, unknown };
  Verdict verdict = Verdict::none;
  std::string target;  // of jump and go
  std::string text;    // for people
};

struct Chain {
  std::string table;  // "filter" of iptables; "inet fw" of nft
  std::string name;
  std::string hook;    // "forward"; empty: it is only jumped to
  bool drops = false;  // its policy
  std::vector<Rule> rules;
};

// `text` is the output of iptables-save; the table nat is left out, since it drops nothing. Each rule
// is matched with `packet`.
std::vector<Chain> read_iptables(std::string_view text, const Packet& packet);
// `text` is the output of `nft -j list ruleset`. Returns the chains that could see `packet`; with
// `but_iptables`, without the tables that iptables-nft keeps there. Failure{65} when it is not JSON of
// that form.
std::vector<Chain> read_nft(std::string_view text, const Packet& packet, bool but_iptables);

struct Fate {
  Answer dropped = Answer::no;
  std::string by;       // chain and rule, or policy
  std::string table{};  // of the chain at the hook, as Chain has it
  std::string chain{};
  std::string manager{};  // "ufw", "firewalld": it writes that table's rules anew at its next reload; or empty
};
// The fate of the packet at `hook`, in all chains of all tables there.
Fate at_hook(const std::vector<Chain>& chains, std::string_view hook);

}  // namespace packet_filter
