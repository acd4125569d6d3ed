// What iptables-restore(8) --noflush makes of a text, and where the kernel then leads
// a packet. It knows the words that firewall/text.h writes and no other: a text with
// anything else in it, a chain that nobody declared, or a rule to delete that is not
// there, is refused, as the real one refuses it.
//
//   iptables_model::Firewall firewall;
//   firewall.restore(firewall::text::base(Family::v4, sessions, {}));
//   const auto passage = firewall.forward({.source = client, .destination = proxy, ...});
//   passage.destination == server
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/address.h"
#include "traffic.h"

namespace iptables_model {

struct Refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// One rule, as its text says. What is absent matches everything.
struct Rule {
  struct Mask {
    std::vector<std::uint8_t> value, bits;
  };
  std::string text;  // behind the name of its chain
  std::optional<Mask> source, destination;
  std::string protocol;
  std::optional<PortRange> source_ports, destination_ports;
  std::optional<IpAddress> original_destination;
  std::optional<Port> original_port;
  std::optional<std::pair<std::uint32_t, std::uint32_t>> mark;  // value, bits
  std::string comment;
  std::string target;
  bool goes = false;     // -g, not -j
  std::string argument;  // of the target
};

using Chain = std::vector<std::shared_ptr<const Rule>>;  // shared, so that a firewall is soon copied
using Table = std::map<std::string, Chain>;

class Firewall {
 public:
  Firewall();
  // Throws Refused; the table that was refused, and those behind it, stay as they are.
  void restore(const std::string& text);
  // As `iptables -t TABLE -S` prints it.
  std::vector<std::string> list(const std::string& table) const;
  const Table& table(const std::string& name) const { return tables_.at(name); }
  // Through PREROUTING, FORWARD and POSTROUTING. Throws Refused when it never ends.
  traffic::Passage forward(const traffic::Packet& packet) const;

  bool operator==(const Firewall& other) const;

 private:
  std::map<std::string, Table> tables_;
};

bool is_built_in(const std::string& chain);
// Another chain, or something that the kernel does itself.
bool is_chain(const std::string& target);

}  // namespace iptables_model
