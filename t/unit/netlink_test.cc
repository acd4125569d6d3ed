#include <doctest/doctest.h>

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "base/netlink.h"
#include "kernel/conntrack.h"
#include "kernel/own_addresses.h"

namespace {

// The interfaces that the kernel lists.
std::vector<std::string> links(int* error, std::uint16_t flags = NLM_F_DUMP, int index = 0) {
  netlink::Question question(RTM_GETLINK, flags);
  auto& wanted = question.header<ifinfomsg>();
  wanted.ifi_family = AF_UNSPEC;
  wanted.ifi_index = index;
  std::vector<std::string> found;
  *error = netlink::ask(NETLINK_ROUTE, question, [&](const nlmsghdr* message) {
    netlink::each_attribute<ifinfomsg>(message, [&](const nlattr* attribute) {
      if (::mnl_attr_get_type(attribute) == IFLA_IFNAME) found.emplace_back(::mnl_attr_get_str(attribute));
    });
  });
  return found;
}

}  // namespace

TEST_CASE("netlink: a dump is read to its end") {
  int error = -1;
  const auto all = links(&error);
  CHECK(error == 0);
  CHECK(std::count(all.begin(), all.end(), "lo") == 1);
}

TEST_CASE("netlink: one answer is all, and one that is not there is an error") {
  int error = -1;
  CHECK(links(&error, 0, static_cast<int>(::if_nametoindex("lo"))) == std::vector<std::string>{"lo"});
  CHECK(error == 0);
  CHECK(links(&error, 0, 0x7ffffff0).empty());
  CHECK(error == ENODEV);
}

TEST_CASE("netlink: a bus that is none, and a question that is none") {
  netlink::Question question(RTM_GETLINK, NLM_F_DUMP);
  CHECK(netlink::ask(-1, question, [](const nlmsghdr*) {}) != 0);
  netlink::Question bad(RTM_GETROUTE, NLM_F_DUMP);
  auto& route = bad.header<rtmsg>();
  route.rtm_family = AF_INET;
  route.rtm_tos = 1;
  CHECK(netlink::ask(
            NETLINK_ROUTE, bad, [](const nlmsghdr*) {}, true) == EINVAL);
}

TEST_CASE("netlink: a message that says it is longer than what came is none") {
  const auto count = [](std::uint32_t length, std::size_t bytes) {
    std::vector<char> received(std::max(bytes, sizeof(nlmsghdr)));
    std::memcpy(received.data(), &length, sizeof length);
    int messages = 0;
    netlink::each_message({received.data(), bytes}, [&](const nlmsghdr*) { ++messages; });
    return messages;
  };
  CHECK(count(16, 16) == 1);
  CHECK(count(17, 18) == 1);  // the last one needs no padding
  CHECK(count(17, 20 + 16) == 1);
  for (const std::uint32_t length : {0U, 15U, 17U, 0x7fffffffU, 0x80000000U, 0xacacaccU, 0xffffffffU}) {
    CAPTURE(length);
    CHECK(count(length, 16) == 0);
  }
  CHECK(count(16, 15) == 0);
}

TEST_CASE("netlink: a route of the table local is a network, if it has bits that there are") {
  const auto network = [](std::uint8_t family, std::uint8_t bits, std::size_t bytes, bool mapped = false) {
    netlink::Question message(RTM_NEWROUTE, 0);
    auto& route = message.header<rtmsg>();
    route.rtm_family = family;
    route.rtm_type = RTN_LOCAL;
    route.rtm_dst_len = bits;
    std::uint8_t address[16] = {10, 0, 0, 1};
    if (mapped) std::fill(address, address + 10, 0), std::fill(address + 10, address + 16, 255);
    ::mnl_attr_put(message.get(), RTA_DST, bytes, address);
    return own_addresses::network_in(message.get());
  };
  CHECK(network(AF_INET, 32, 4) == Network::parse("10.0.0.1"));
  CHECK(network(AF_INET6, 128, 16) == Network::parse("a00:1::"));
  CHECK_FALSE(network(AF_INET, 33, 4));
  CHECK_FALSE(network(AF_INET6, 129, 16));
  CHECK_FALSE(network(AF_INET, 32, 3));
  CHECK_FALSE(network(AF_INET6, 128, 16, true));
  CHECK_FALSE(network(AF_INET, 32, 16));
  netlink::Question other(RTM_NEWLINK, 0);
  CHECK_FALSE(own_addresses::network_in(other.get()));
}

TEST_CASE("netlink: a flow without its addresses is none") {
  const auto flow = [](bool original, bool reply) {
    netlink::Question message((NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_NEW, 0);
    message.header<nfgenmsg>().nfgen_family = AF_INET;
    const auto tuple = [&](std::uint16_t type, bool addresses) {
      nlattr* const all = ::mnl_attr_nest_start(message.get(), type);
      if (addresses) {
        nlattr* const ip = ::mnl_attr_nest_start(message.get(), CTA_TUPLE_IP);
        ::mnl_attr_put_u32(message.get(), CTA_IP_V4_SRC, 0x01020304);
        ::mnl_attr_put_u32(message.get(), CTA_IP_V4_DST, 0x05060708);
        ::mnl_attr_nest_end(message.get(), ip);
      }
      nlattr* const proto = ::mnl_attr_nest_start(message.get(), CTA_TUPLE_PROTO);
      ::mnl_attr_put_u8(message.get(), CTA_PROTO_NUM, IPPROTO_UDP);
      ::mnl_attr_nest_end(message.get(), proto);
      ::mnl_attr_nest_end(message.get(), all);
    };
    tuple(CTA_TUPLE_ORIG, original);
    tuple(CTA_TUPLE_REPLY, reply);
    return conntrack::flow_in(message.get());
  };
  REQUIRE(flow(true, true));
  CHECK(flow(true, true)->client.ip.text() == "4.3.2.1");
  CHECK_FALSE(flow(false, true));
  CHECK_FALSE(flow(true, false));
}

TEST_CASE("netlink: an attribute that ends behind its message is none") {
  netlink::Question question(RTM_NEWROUTE, 0);
  question.header<rtmsg>();
  ::mnl_attr_put_u32(question.get(), RTA_DST, 7);
  const auto count = [&] {
    int attributes = 0;
    netlink::each_attribute<rtmsg>(question.get(), [&](const nlattr*) { ++attributes; });
    return attributes;
  };
  CHECK(count() == 1);
  --question.get()->nlmsg_len;
  CHECK(count() == 0);
}

TEST_CASE("netlink: what is too short for its header has none") {
  netlink::Question question(RTM_GETLINK, 0);
  CHECK(netlink::payload<ifinfomsg>(question.get()) == nullptr);
  question.header<ifinfomsg>().ifi_index = 7;
  REQUIRE(netlink::payload<ifinfomsg>(question.get()) != nullptr);
  CHECK(netlink::payload<ifinfomsg>(question.get())->ifi_index == 7);
}
