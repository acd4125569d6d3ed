#include "kernel/conntrack_dump.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

#include <cerrno>

#include "base/failure.h"
#include "base/netlink.h"

namespace conntrack_dump {
namespace {

constexpr std::uint32_t kBySource = 1;  // CTA_FILTER_FLAG(CTA_IP_SRC) of net/netfilter/nf_conntrack_netlink.c

void put_filter(nlmsghdr* question, const IpAddress& client, std::uint32_t mark) {
  nlattr* const original = ::mnl_attr_nest_start(question, CTA_TUPLE_ORIG);
  nlattr* const address = ::mnl_attr_nest_start(question, CTA_TUPLE_IP);
  ::mnl_attr_put(question, CTA_IP_V4_SRC, 4, client.bytes());
  ::mnl_attr_nest_end(question, address);
  ::mnl_attr_nest_end(question, original);
  nlattr* const filter = ::mnl_attr_nest_start(question, CTA_FILTER);
  ::mnl_attr_put_u32(question, CTA_FILTER_ORIG_FLAGS, kBySource);
  ::mnl_attr_nest_end(question, filter);
  if (mark == 0) return;
  ::mnl_attr_put_u32(question, CTA_MARK, htonl(mark));
  ::mnl_attr_put_u32(question, CTA_MARK_MASK, htonl(mark));
}

}  // namespace

void of_client(const IpAddress& client, std::uint32_t mark, const std::function<void(const nlmsghdr*)>& each) {
  netlink::Question question((NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET, NLM_F_DUMP);
  auto& family = question.header<nfgenmsg>();
  family.nfgen_family = static_cast<std::uint8_t>(client.family());
  family.version = NFNETLINK_V0;
  put_filter(question.get(), client, mark);
  errno = netlink::ask(NETLINK_NETFILTER, question, each);
  if (errno != 0) tool::fail_errno(tool::os, "list conntrack");
}

}  // namespace conntrack_dump
