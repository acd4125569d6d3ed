// What the kernel answers over netlink: routes and flows. It is trusted not to lie, but what is
// missing or too short must not be read.
//
// options: -max_len=4096
#include <arpa/inet.h>
#include <fuzzer/FuzzedDataProvider.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include <vector>

#include "base/netlink.h"
#include "fuzz.h"
#include "kernel/conntrack.h"
#include "kernel/own_addresses.h"

namespace {

// As it is in the buffer that is received into: aligned, and not a byte longer.
void routes(std::string_view input) {
  const std::vector<char> bytes(input.begin(), input.end());
  netlink::each_message({bytes.data(), bytes.size()}, [](const nlmsghdr* message) {
    const auto network = own_addresses::network_in(message);
    if (!network) return;
    fuzz::must(network->prefix >= 0 && network->prefix <= (network->base.is_v4() ? 32 : 128), "a network has bits");
    fuzz::must(network->contains(network->base), "a network contains its base");
  });
}

// Attributes that the input chooses, of the length that they have: of another, the library ends the
// program.
class Flow {
 public:
  explicit Flow(std::string_view input)
      : given_(reinterpret_cast<const std::uint8_t*>(input.data()), input.size()),
        message_((NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_NEW, 0) {
    message_.header<nfgenmsg>().nfgen_family = given_.ConsumeIntegral<std::uint8_t>();
    for (const std::uint16_t type : {CTA_TUPLE_ORIG, CTA_TUPLE_REPLY}) tuple(type);
    for (const std::uint16_t type : {CTA_STATUS, CTA_MARK, CTA_ID}) put(type, 4);
    for (const std::uint16_t type : {CTA_COUNTERS_ORIG, CTA_COUNTERS_REPLY})
      nest(type, [&] { put(CTA_COUNTERS_PACKETS, 8), put(CTA_COUNTERS_BYTES, 8); });
  }

  const nlmsghdr* get() { return message_.get(); }

 private:
  void put(std::uint16_t type, std::size_t size) {
    if (!given_.ConsumeBool()) return;
    std::vector<std::uint8_t> bytes(size);
    given_.ConsumeData(bytes.data(), size);
    ::mnl_attr_put(message_.get(), type, size, bytes.data());
  }
  void nest(std::uint16_t type, auto fill) {
    if (!given_.ConsumeBool()) return;
    nlattr* const nested = ::mnl_attr_nest_start(message_.get(), type);
    fill();
    ::mnl_attr_nest_end(message_.get(), nested);
  }
  void tuple(std::uint16_t type) {
    nest(type, [&] {
      nest(CTA_TUPLE_IP, [&] {
        for (const std::uint16_t one : {CTA_IP_V4_SRC, CTA_IP_V4_DST}) put(one, 4);
        for (const std::uint16_t one : {CTA_IP_V6_SRC, CTA_IP_V6_DST}) put(one, 16);
      });
      nest(CTA_TUPLE_PROTO, [&] { put(CTA_PROTO_NUM, 1), put(CTA_PROTO_SRC_PORT, 2), put(CTA_PROTO_DST_PORT, 2); });
    });
  }

  FuzzedDataProvider given_;
  netlink::Question message_;
};

}  // namespace

void fuzz::one(std::string_view input) {
  routes(input);
  const auto flow = conntrack::flow_in(Flow(input).get());
  if (!flow) return;
  fuzz::must(flow->protocol == 17 || flow->protocol == 6, "a flow is UDP or TCP");
  for (const auto& end : {flow->client, flow->proxy, flow->server})
    fuzz::must(IpAddress::parse(end.ip.text()) == end.ip, "its ends are addresses");
  fuzz::must(!flow->counters || flow->counters->packets == flow->to_server.packets + flow->to_client.packets,
             "both directions add up");
}
