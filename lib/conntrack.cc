#include "conntrack.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>

#include <cerrno>
#include <cstring>

#include <libnetfilter_conntrack/libnetfilter_conntrack.h>

#include "fd.h"
#include "tool.h"

namespace conntrack {
namespace {

using Entry = std::unique_ptr<nf_conntrack, decltype(&nfct_destroy)>;

IpAddress address_of(const nf_conntrack* entry, nf_conntrack_attr v4, nf_conntrack_attr v6) {
  const auto family = nfct_get_attr_u8(entry, ATTR_L3PROTO);
  return family == AF_INET ? IpAddress::from_v4(nfct_get_attr(entry, v4)) : IpAddress::from_v6(nfct_get_attr(entry, v6));
}

Endpoint end_of(const nf_conntrack* entry, nf_conntrack_attr v4, nf_conntrack_attr v6, nf_conntrack_attr port) {
  return {address_of(entry, v4, v6), ntohs(nfct_get_attr_u16(entry, port))};
}

bool is_ip(const nf_conntrack* entry) {
  const auto family = nfct_get_attr_u8(entry, ATTR_L3PROTO);
  return family == AF_INET || family == AF_INET6;
}
bool is_udp(const nf_conntrack* entry) { return nfct_get_attr_u8(entry, ATTR_L4PROTO) == IPPROTO_UDP && is_ip(entry); }
bool is_tcp(const nf_conntrack* entry) { return nfct_get_attr_u8(entry, ATTR_L4PROTO) == IPPROTO_TCP && is_ip(entry); }

Flow flow_of(const nf_conntrack* entry) {
  Flow flow;
  flow.protocol = nfct_get_attr_u8(entry, ATTR_L4PROTO);
  flow.client = end_of(entry, ATTR_ORIG_IPV4_SRC, ATTR_ORIG_IPV6_SRC, ATTR_ORIG_PORT_SRC);
  flow.proxy = end_of(entry, ATTR_ORIG_IPV4_DST, ATTR_ORIG_IPV6_DST, ATTR_ORIG_PORT_DST);
  flow.server = end_of(entry, ATTR_REPL_IPV4_SRC, ATTR_REPL_IPV6_SRC, ATTR_REPL_PORT_SRC);
  flow.mark = nfct_get_attr_u32(entry, ATTR_MARK);
  flow.id = nfct_get_attr_u32(entry, ATTR_ID);
  flow.answered = (nfct_get_attr_u32(entry, ATTR_STATUS) & IPS_SEEN_REPLY) != 0;
  if (nfct_attr_is_set(entry, ATTR_ORIG_COUNTER_PACKETS)) {
    flow.to_server = {nfct_get_attr_u64(entry, ATTR_ORIG_COUNTER_PACKETS), nfct_get_attr_u64(entry, ATTR_ORIG_COUNTER_BYTES)};
    flow.to_client = {nfct_get_attr_u64(entry, ATTR_REPL_COUNTER_PACKETS), nfct_get_attr_u64(entry, ATTR_REPL_COUNTER_BYTES)};
    flow.counters = Counters{flow.to_server.packets + flow.to_client.packets, flow.to_server.bytes + flow.to_client.bytes};
  }
  return flow;
}

// Called by the library for each entry; `into` is a std::vector<Flow>.
int keep(nf_conntrack_msg_type, nf_conntrack* entry, void* into) noexcept {
  if (is_udp(entry)) static_cast<std::vector<Flow>*>(into)->push_back(flow_of(entry));
  return NFCT_CB_CONTINUE;
}

int keep_with_tcp(nf_conntrack_msg_type, nf_conntrack* entry, void* into) noexcept {
  if (is_udp(entry) || is_tcp(entry)) static_cast<std::vector<Flow>*>(into)->push_back(flow_of(entry));
  return NFCT_CB_CONTINUE;
}

nfct_handle* open_handle(unsigned groups) {
  nfct_handle* handle = ::nfct_open(CONNTRACK, groups);
  if (!handle) tool::fail_errno(tool::os, "open conntrack");
  return handle;
}

void set_original_tuple(nf_conntrack* entry, const Flow& flow) {
  const auto family = static_cast<std::uint8_t>(flow.client.ip.family());
  nfct_set_attr_u8(entry, ATTR_L3PROTO, family);
  nfct_set_attr_u8(entry, ATTR_L4PROTO, flow.protocol);
  const bool v4 = flow.client.ip.is_v4();
  nfct_set_attr(entry, v4 ? ATTR_ORIG_IPV4_SRC : ATTR_ORIG_IPV6_SRC, flow.client.ip.bytes());
  nfct_set_attr(entry, v4 ? ATTR_ORIG_IPV4_DST : ATTR_ORIG_IPV6_DST, flow.proxy.ip.bytes());
  nfct_set_attr_u16(entry, ATTR_ORIG_PORT_SRC, htons(flow.client.port));
  nfct_set_attr_u16(entry, ATTR_ORIG_PORT_DST, htons(flow.proxy.port));
}

void add_client(nfct_filter* filter, const IpAddress& client) {
  if (client.is_v4()) {
    nfct_filter_ipv4 net{};
    std::memcpy(&net.addr, client.bytes(), 4);
    net.addr = ntohl(net.addr);
    net.mask = 0xffffffff;
    ::nfct_filter_add_attr(filter, NFCT_FILTER_SRC_IPV4, &net);
    return;
  }
  nfct_filter_ipv6 net{};
  for (int i = 0; i < 4; ++i) {
    std::memcpy(&net.addr[i], client.bytes() + 4 * i, 4);
    net.addr[i] = ntohl(net.addr[i]);
    net.mask[i] = 0xffffffff;
  }
  ::nfct_filter_add_attr(filter, NFCT_FILTER_SRC_IPV6, &net);
}

using Keep = int (*)(nf_conntrack_msg_type, nf_conntrack*, void*);

std::vector<Flow> list_by_mark(nfct_handle* handle, int family, std::uint32_t mark, Keep keep_which) {
  const std::unique_ptr<nfct_filter_dump, decltype(&nfct_filter_dump_destroy)> filter(::nfct_filter_dump_create(),
                                                                                     nfct_filter_dump_destroy);
  if (!filter) throw std::bad_alloc();
  ::nfct_filter_dump_set_attr_u8(filter.get(), NFCT_FILTER_DUMP_L3NUM, static_cast<std::uint8_t>(family));
  if (mark != 0) {
    nfct_filter_dump_mark wanted{mark, mark};
    ::nfct_filter_dump_set_attr(filter.get(), NFCT_FILTER_DUMP_MARK, &wanted);
  }
  std::vector<Flow> flows;
  ::nfct_callback_register(handle, NFCT_T_ALL, keep_which, &flows);
  const int answer = ::nfct_query(handle, NFCT_Q_DUMP_FILTER, filter.get());
  const int error = errno;
  ::nfct_callback_unregister(handle);
  if (answer != 0) {
    errno = error;
    tool::fail_errno(tool::os, "list conntrack");
  }
  return flows;
}

// The library of Debian 12 cannot ask for the flows of a tuple, the kernel can
// answer: so the question is written here, netlink(7), and the library reads the
// answer.
class Question {
 public:
  Question(const IpAddress& client, const IpAddress& proxy) {
    // CTA_FILTER_ORIG_FLAGS, as the kernel reads them (its nf_internals.h).
    constexpr std::uint32_t kSource = 1 << 0;
    constexpr std::uint32_t kDestination = 1 << 1;
    header().nlmsg_type = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET;
    header().nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    header().nlmsg_len = NLMSG_LENGTH(sizeof(nfgenmsg));
    static_cast<nfgenmsg*>(NLMSG_DATA(&header()))->nfgen_family = static_cast<std::uint8_t>(client.family());
    const std::uint16_t width = client.is_v4() ? 4 : 16;
    nest(CTA_TUPLE_ORIG, [&] {
      nest(CTA_TUPLE_IP, [&] {
        add(client.is_v4() ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, client.bytes(), width);
        add(client.is_v4() ? CTA_IP_V4_DST : CTA_IP_V6_DST, proxy.bytes(), width);
      });
    });
    nest(CTA_FILTER, [&] {
      const std::uint32_t flags = kSource | kDestination;
      add(CTA_FILTER_ORIG_FLAGS, &flags, sizeof flags);
    });
  }
  const void* bytes() const { return buffer_; }
  std::size_t size() const { return reinterpret_cast<const nlmsghdr*>(buffer_)->nlmsg_len; }

 private:
  nlmsghdr& header() { return *reinterpret_cast<nlmsghdr*>(buffer_); }
  nlattr* begin(int type) {
    auto* attribute = reinterpret_cast<nlattr*>(buffer_ + header().nlmsg_len);
    attribute->nla_type = static_cast<std::uint16_t>(type);
    attribute->nla_len = NLA_HDRLEN;
    header().nlmsg_len += NLA_HDRLEN;
    return attribute;
  }
  void add(int type, const void* bytes, std::uint16_t size) {
    nlattr* attribute = begin(type);
    std::memcpy(buffer_ + header().nlmsg_len, bytes, size);
    attribute->nla_len = static_cast<std::uint16_t>(NLA_HDRLEN + size);
    header().nlmsg_len += size;  // 4 or 16: aligned
  }
  template <typename Within>
  void nest(int type, Within within) {
    nlattr* attribute = begin(type | NLA_F_NESTED);
    within();
    attribute->nla_len = static_cast<std::uint16_t>(buffer_ + header().nlmsg_len - reinterpret_cast<char*>(attribute));
  }

  alignas(nlmsghdr) char buffer_[256] = {};
};

// One answer of the dump; false when it was the last.
bool take_answers(char* answer, ssize_t length, std::vector<Flow>& flows) {
  auto left = static_cast<unsigned>(length);
  for (auto* header = reinterpret_cast<nlmsghdr*>(answer); NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
    if (header->nlmsg_type == NLMSG_DONE) return false;
    if (header->nlmsg_type == NLMSG_ERROR) {
      errno = -static_cast<const nlmsgerr*>(NLMSG_DATA(header))->error;
      tool::fail_errno(tool::os, "list conntrack");
    }
    const Entry entry(::nfct_new(), nfct_destroy);
    if (!entry) throw std::bad_alloc();
    if (::nfct_nlmsg_parse(header, entry.get()) == 0) keep_with_tcp(NFCT_T_UPDATE, entry.get(), &flows);
  }
  return true;
}

}  // namespace

Table::Table() : handle_(open_handle(0)) {}
Table::~Table() { ::nfct_close(handle_); }

std::vector<Flow> Table::list(int family, std::uint32_t mark) const { return list_by_mark(handle_, family, mark, keep); }
std::vector<Flow> Table::list_with_tcp(int family, std::uint32_t mark) const { return list_by_mark(handle_, family, mark, keep_with_tcp); }

std::vector<Flow> Table::list_between(const IpAddress& client, const IpAddress& proxy) const {
  const Question question(client, proxy);
  const Fd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!netlink || ::send(netlink.get(), question.bytes(), question.size(), 0) < 0) tool::fail_errno(tool::os, "ask conntrack");
  std::vector<Flow> flows;
  alignas(nlmsghdr) char answer[32768];
  ssize_t length;
  do {
    length = ::recv(netlink.get(), answer, sizeof answer, 0);
    if (length <= 0) tool::fail_errno(tool::os, "list conntrack");
  } while (take_answers(answer, length, flows));
  std::erase_if(flows, [&](const Flow& flow) { return flow.client.ip != client || flow.proxy.ip != proxy; });
  return flows;
}

bool Table::remove(const Flow& flow) const {
  const Entry entry(::nfct_new(), nfct_destroy);
  if (!entry) throw std::bad_alloc();
  set_original_tuple(entry.get(), flow);
  nfct_set_attr_u32(entry.get(), ATTR_ID, flow.id);
  if (::nfct_query(handle_, NFCT_Q_DESTROY, entry.get()) == 0) return true;
  if (errno == ENOENT) return false;
  tool::fail_errno(tool::os, "remove from conntrack");
}

Watch::Watch(const IpAddress& client, std::uint32_t mark) : handle_(open_handle(NF_NETLINK_CONNTRACK_NEW)) {
  const std::unique_ptr<nfct_filter, decltype(&nfct_filter_destroy)> filter(::nfct_filter_create(), nfct_filter_destroy);
  if (!filter) throw std::bad_alloc();
  ::nfct_filter_add_attr_u32(filter.get(), NFCT_FILTER_L4PROTO, IPPROTO_UDP);
  nfct_filter_dump_mark wanted{mark, mark};
  ::nfct_filter_add_attr(filter.get(), NFCT_FILTER_MARK, &wanted);
  add_client(filter.get(), client);
  if (::nfct_filter_attach(fd(), filter.get()) != 0) {
    const int error = errno;
    ::nfct_close(handle_);
    errno = error;
    tool::fail_errno(tool::os, "filter conntrack events");
  }
  fd::set_nonblocking(fd());
}

Watch::~Watch() { ::nfct_close(handle_); }

int Watch::fd() const { return ::nfct_fd(handle_); }

Watch::News Watch::read() {
  News news;
  ::nfct_callback_register(handle_, NFCT_T_NEW, keep, &news.flows);
  const int answer = ::nfct_catch(handle_);
  const int error = errno;
  ::nfct_callback_unregister(handle_);
  if (answer < 0 && error == ENOBUFS) news.lost = true;
  return news;
}

}  // namespace conntrack
