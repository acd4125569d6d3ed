#include <doctest/doctest.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "base/netlink.h"

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

TEST_CASE("netlink: what is too short for its header has none") {
  netlink::Question question(RTM_GETLINK, 0);
  CHECK(netlink::payload<ifinfomsg>(question.get()) == nullptr);
  question.header<ifinfomsg>().ifi_index = 7;
  REQUIRE(netlink::payload<ifinfomsg>(question.get()) != nullptr);
  CHECK(netlink::payload<ifinfomsg>(question.get())->ifi_index == 7);
}
