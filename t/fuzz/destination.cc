// Where a lease may lead: addresses of the proxy's own, and those that never are a destination, are
// refused in any spelling, embedded in whatever IPv6 address, and whatever the lists say.
//
// Input: allowed \f denied \f destination \f UDP ports
//
// options: -max_len=400
#include <netdb.h>

#include <algorithm>

#include <fmt/format.h>

#include "config/destination_policy.h"
#include "fuzz.h"

namespace {

using namespace config::destination;
using Networks = std::vector<Network>;

const Networks& own() {
  static const Networks all{*Network::parse("203.0.113.1"), *Network::parse("198.51.100.32/29"),
                            *Network::parse("2001:db8:1::/64")};
  return all;
}

// Whether getaddrinfo(3) takes it for an address, without asking anybody.
bool is_numeric(const std::string& text) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  addrinfo* found = nullptr;
  if (::getaddrinfo(text.c_str(), nullptr, &hints, &found) != 0) return false;
  ::freeaddrinfo(found);
  return true;
}

bool is_own(const IpAddress& ip) {
  return std::any_of(own().begin(), own().end(), [&](const Network& one) { return one.contains(ip); });
}

// The IPv6 addresses that lead a translator to `v4`.
void embedded(const IpAddress& v4) {
  const auto* b = v4.bytes();
  const auto refused = [&](const std::string& text) {
    const auto ip = IpAddress::parse(text);
    fuzz::must(ip && !never_reachable(*ip, own()).empty(), "an own address is refused in each IPv6 form");
  };
  const std::string tail = fmt::format("{:02x}{:02x}:{:02x}{:02x}", b[0], b[1], b[2], b[3]);
  for (const char* before :
       {"::", "::ffff:", "::ffff:0:", "64:ff9b::", "64:ff9b:1::", "2001:db8:2::5efe:", "2001:db8:2::200:5efe:"})
    refused(before + tail);
  refused(fmt::format("2002:{}::1", tail));
  refused(fmt::format("2001:0:{}::1", tail));
  refused(fmt::format("2001:0:c000:200::{:02x}{:02x}:{:02x}{:02x}", b[0] ^ 255, b[1] ^ 255, b[2] ^ 255, b[3] ^ 255));
}

std::string text_of(const config::Destination& one) {
  std::string text = one.network ? one.network->base.text() : one.name;
  if (one.network && !one.network->base.is_v4()) text = "[" + text + "]";
  if (one.network) text += fmt::format("/{}", one.network->prefix);
  return one.ports ? fmt::format("{}:{}-{}", text, one.ports->low, one.ports->high) : text;
}

std::vector<config::Destination> list(const std::string& text) {
  const auto parsed = parse_list(text);
  if (!parsed) return {};
  std::string again;
  for (const auto& one : *parsed) again += text_of(one) + ", ";
  fuzz::must(parse_list(again) == parsed, "a list of destinations reads back");
  return *parsed;
}

void judged(const Policy& policy, const Asked& asked) {
  const auto judgement = judge(policy, asked);
  const bool refused = judgement.verdict == Verdict::refused;
  fuzz::must(refused == !judgement.reason.empty(), "a refusal has a reason, and nothing else has");
  fuzz::must(fuzz::is_printable(judgement.reason), "a reason is printable");
  if (is_own(asked.address)) fuzz::must(refused, "an own address is refused whatever the lists say");
  for (const auto& one : policy.denied) {
    const bool port = !one.ports || (one.ports->low <= asked.ssh_port && asked.ssh_port <= one.ports->high);
    if (port && one.network && one.network->contains(asked.address)) fuzz::must(refused, "what is denied is refused");
    if (port && !one.network && one.name == asked.name) fuzz::must(refused, "a name that is denied is refused");
  }
}

}  // namespace

void fuzz::one(std::string_view input) {
  const auto given = fuzz::parts(input, 4);
  const auto allowed = list(given[0]);
  const auto denied = list(given[1]);
  const auto target = Target::parse(given[2]);
  if (!target) return;
  Asked asked{target->name, target->address.value_or(*IpAddress::parse("192.0.2.80"))};
  if (target->address) {
    if (is_own(*target->address))
      fuzz::must(!never_reachable(*target->address, own()).empty(), "an own address is refused");
    if (target->address->is_v4() && !never_reachable(*target->address, own()).empty()) embedded(*target->address);
    fuzz::must(Target::parse(target->address->text())->address == target->address, "an address reads back");
  } else {
    fuzz::must(!is_numeric(target->name) && !is_numeric(given[2]), "no spelling of an address is taken for a name");
    fuzz::must(Target::parse(target->name)->name == target->name, "a name reads back");
    fuzz::must(target->name.find("localhost") != 0 || target->name.size() > 9, "localhost is refused");
  }
  if (const auto range = PortRange::parse(given[3]); range && range->high - range->low < 100) asked.udp_ports = *range;
  const Policy policy{allowed, denied, own()};
  judged(policy, asked);
  asked.address = *IpAddress::parse("198.51.100.33");
  judged(policy, asked);
}
