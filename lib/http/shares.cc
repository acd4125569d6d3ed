#include "http/shares.h"

#include <array>

namespace shares {
namespace {

struct Share {
  int prefix;
  unsigned most;
};
constexpr Share kShares4[] = {{32, 200}, {24, 600}};
constexpr Share kShares6[] = {{64, 200}, {56, 400}, {48, 600}};

template <typename Each>
void each_network(const IpAddress& client, Each each) {
  if (client.is_v4()) {
    for (const auto& share : kShares4) each(share);
  } else {
    for (const auto& share : kShares6) each(share);
  }
}

// All prefixes are whole bytes.
std::pair<IpAddress, int> network_of(const IpAddress& client, int prefix) {
  std::array<std::uint8_t, 16> bytes{};
  for (int i = 0; i < prefix / 8; ++i) bytes[static_cast<std::size_t>(i)] = client.bytes()[i];
  return {client.is_v4() ? IpAddress::from_v4(bytes.data()) : IpAddress::from_v6(bytes.data()), prefix};
}

}  // namespace

bool Shares::admit(const IpAddress& client) const {
  bool within = true;
  each_network(client, [&](const Share& share) {
    const auto found = counts_.find(network_of(client, share.prefix));
    within = within && (found == counts_.end() || found->second < share.most);
  });
  return within;
}

void Shares::add(const IpAddress& client) {
  each_network(client, [&](const Share& share) { ++counts_[network_of(client, share.prefix)]; });
}

void Shares::remove(const IpAddress& client) {
  each_network(client, [&](const Share& share) {
    const auto found = counts_.find(network_of(client, share.prefix));
    if (found != counts_.end() && --found->second == 0) counts_.erase(found);
  });
}

}  // namespace shares
