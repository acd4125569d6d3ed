#include "gate.h"

#include <string>

#include <fmt/core.h>

#include "kernel/nft.h"

namespace gate {
namespace {

// The table is made first, so that deleting it is not an error when there was none.
constexpr char kRemoveGate[] = "table inet sallyport_gate\ndelete table inet sallyport_gate\n";

std::string drops(const config::Cluster& cluster, bool v4) {
  std::string addresses;
  for (const auto* shared : {&cluster.outside, &cluster.inside}) {
    for (const auto& each : shared->addresses) {
      if (each.base.is_v4() == v4) addresses += (addresses.empty() ? "" : ", ") + each.base.text();
    }
  }
  if (addresses.empty()) return {};
  const std::string to = fmt::format("{} daddr {{ {} }}", v4 ? "ip" : "ip6", addresses);
  return fmt::format("    {0} ct state {{ new, invalid }} tcp flags & (syn | rst) == 0 drop\n    {0} ct state new meta "
                     "l4proto udp drop\n",
                     to);
}

}  // namespace

void close(const config::Cluster& cluster) {
  nft::apply(fmt::format("{}table inet sallyport_gate {{\n  chain arriving {{\n    type filter hook input priority "
                         "-10; policy accept;\n{}{}  }}\n}}\n",
                         kRemoveGate, drops(cluster, true), drops(cluster, false)));
}

void open() { nft::apply(kRemoveGate); }

}  // namespace gate
