#include "kernel/conntrack.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <initializer_list>

#include <libnetfilter_conntrack/libnetfilter_conntrack.h>

#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "kernel/conntrack_dump.h"

namespace conntrack {
namespace {

constexpr std::size_t kMostAtOnce = 512;  // flows of one Watch::read

using Entry = std::unique_ptr<nf_conntrack, decltype(&nfct_destroy)>;

IpAddress address_of(const nf_conntrack* entry, nf_conntrack_attr v4, nf_conntrack_attr v6) {
  const auto family = nfct_get_attr_u8(entry, ATTR_L3PROTO);
  return family == AF_INET ? IpAddress::from_v4(nfct_get_attr(entry, v4))
                           : IpAddress::from_v6(nfct_get_attr(entry, v6));
}

Endpoint end_of(const nf_conntrack* entry, nf_conntrack_attr v4, nf_conntrack_attr v6, nf_conntrack_attr port) {
  return {address_of(entry, v4, v6), ntohs(nfct_get_attr_u16(entry, port))};
}

// True if flow_of() finds its addresses.
bool is_ip(const nf_conntrack* entry) {
  const auto family = nfct_get_attr_u8(entry, ATTR_L3PROTO);
  const auto has = [&](std::initializer_list<nf_conntrack_attr> all) {
    return std::all_of(all.begin(), all.end(), [&](nf_conntrack_attr one) { return nfct_attr_is_set(entry, one) > 0; });
  };
  if (family == AF_INET) return has({ATTR_ORIG_IPV4_SRC, ATTR_ORIG_IPV4_DST, ATTR_REPL_IPV4_SRC});
  return family == AF_INET6 && has({ATTR_ORIG_IPV6_SRC, ATTR_ORIG_IPV6_DST, ATTR_REPL_IPV6_SRC});
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
    flow.to_server = {nfct_get_attr_u64(entry, ATTR_ORIG_COUNTER_PACKETS),
                      nfct_get_attr_u64(entry, ATTR_ORIG_COUNTER_BYTES)};
    flow.to_client = {nfct_get_attr_u64(entry, ATTR_REPL_COUNTER_PACKETS),
                      nfct_get_attr_u64(entry, ATTR_REPL_COUNTER_BYTES)};
    flow.counters =
        Counters{flow.to_server.packets + flow.to_client.packets, flow.to_server.bytes + flow.to_client.bytes};
  }
  return flow;
}

// Null: the message has another form.
Entry entry_in(const nlmsghdr* message) {
  Entry entry(::nfct_new(), nfct_destroy);
  if (!entry) throw std::bad_alloc();
  if (::nfct_nlmsg_parse(message, entry.get()) != 0) entry.reset();
  return entry;
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

// `into` is a Watch::News.
int keep_news(nf_conntrack_msg_type type, nf_conntrack* entry, void* into) noexcept {
  auto& news = *static_cast<Watch::News*>(into);
  if (!is_udp(entry)) return NFCT_CB_CONTINUE;
  const Flow flow = flow_of(entry);
  if (type == NFCT_T_NEW) news.begun.push_back(flow);
  else if (flow.answered) news.answered.push_back(flow);
  news.more = news.begun.size() + news.answered.size() >= kMostAtOnce;
  return news.more ? NFCT_CB_STOP : NFCT_CB_CONTINUE;
}

nfct_handle* open_handle(unsigned groups) {
  nfct_handle* handle = ::nfct_open(CONNTRACK, groups);
  if (!handle) tool::fail_errno(tool::os, "open conntrack");
  return handle;
}

// An entry with the ends of `flow` as its original direction.
Entry entry_of(const Flow& flow) {
  Entry made(::nfct_new(), nfct_destroy);
  if (!made) throw std::bad_alloc();
  nf_conntrack* entry = made.get();
  const auto family = static_cast<std::uint8_t>(flow.client.ip.family());
  nfct_set_attr_u8(entry, ATTR_L3PROTO, family);
  nfct_set_attr_u8(entry, ATTR_L4PROTO, flow.protocol);
  const bool v4 = flow.client.ip.is_v4();
  nfct_set_attr(entry, v4 ? ATTR_ORIG_IPV4_SRC : ATTR_ORIG_IPV6_SRC, flow.client.ip.bytes());
  nfct_set_attr(entry, v4 ? ATTR_ORIG_IPV4_DST : ATTR_ORIG_IPV6_DST, flow.proxy.ip.bytes());
  nfct_set_attr_u16(entry, ATTR_ORIG_PORT_SRC, htons(flow.client.port));
  nfct_set_attr_u16(entry, ATTR_ORIG_PORT_DST, htons(flow.proxy.port));
  return made;
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

// Puts the answers that `keep_which` accepts into `into`. False: the kernel refused, with errno.
bool query(nfct_handle* handle, nf_conntrack_query what, const void* about, Keep keep_which, std::vector<Flow>& into) {
  ::nfct_callback_register(handle, NFCT_T_ALL, keep_which, &into);
  const int answer = ::nfct_query(handle, what, about);
  const int error = errno;
  ::nfct_callback_unregister(handle);
  errno = error;
  return answer == 0;
}

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
  if (!query(handle, NFCT_Q_DUMP_FILTER, filter.get(), keep_which, flows)) tool::fail_errno(tool::os, "list conntrack");
  return flows;
}

// Kernels before 5.8 cannot filter by address, and return all flows.
std::vector<Flow> list_of(nfct_handle* handle, const IpAddress& client, std::uint32_t mark, Keep keep_which) {
  std::vector<Flow> flows;
  if (client.is_v4()) {
    conntrack_dump::of_client(client, mark, [&](const nlmsghdr* message) {
      if (const Entry entry = entry_in(message)) keep_which(NFCT_T_UPDATE, entry.get(), &flows);
    });
  } else {
    // The kernel (6.18) leaves out exactly the flows of the requested address.
    flows = list_by_mark(handle, client.family(), mark, keep_which);
  }
  std::erase_if(flows,
                [&](const Flow& flow) { return flow.client.ip != client || (mark != 0 && (flow.mark & mark) == 0); });
  return flows;
}

// The flow that the kernel finds by the ends of `wanted`, in either direction. Absent: there is none, or
// `keep_which` does not accept it.
std::optional<Flow> look_up(nfct_handle* handle, const Flow& wanted, Keep keep_which) {
  const Entry entry = entry_of(wanted);
  std::vector<Flow> flows;
  if (!query(handle, NFCT_Q_GET, entry.get(), keep_which, flows) && errno != ENOENT)
    tool::fail_errno(tool::os, "look into conntrack");
  if (flows.empty()) return std::nullopt;
  return flows.front();
}

}  // namespace

Table::Table() : handle_(open_handle(0)) {}
Table::~Table() { ::nfct_close(handle_); }

std::vector<Flow> Table::list(int family, std::uint32_t mark) const {
  return list_by_mark(handle_, family, mark, keep);
}
std::vector<Flow> Table::list_with_tcp(int family, std::uint32_t mark) const {
  return list_by_mark(handle_, family, mark, keep_with_tcp);
}

std::vector<Flow> Table::list(const IpAddress& client, std::uint32_t mark) const {
  return list_of(handle_, client, mark, keep);
}

std::vector<Flow> Table::list_between(const IpAddress& client, const IpAddress& proxy) const {
  std::vector<Flow> flows = list_of(handle_, client, 0, keep_with_tcp);
  std::erase_if(flows, [&](const Flow& flow) { return flow.proxy.ip != proxy; });
  return flows;
}

std::optional<Flow> Table::find(const Endpoint& client, const Endpoint& proxy) const {
  Flow wanted;
  wanted.client = client;
  wanted.proxy = proxy;
  return look_up(handle_, wanted, keep);
}

// Of a flow that the peer began, these are the ends of the other direction.
bool Table::was_begun_by(const Endpoint& peer, const Endpoint& ours) const {
  Flow wanted;
  wanted.protocol = IPPROTO_TCP;
  wanted.client = ours;
  wanted.proxy = peer;
  const auto flow = look_up(handle_, wanted, keep_with_tcp);
  return flow && flow->server == ours && flow->client != ours;
}

bool Table::remove(const Flow& flow) const {
  const Entry entry = entry_of(flow);
  nfct_set_attr_u32(entry.get(), ATTR_ID, flow.id);
  if (::nfct_query(handle_, NFCT_Q_DESTROY, entry.get()) == 0) return true;
  if (errno == ENOENT) return false;
  tool::fail_errno(tool::os, "remove from conntrack");
}

std::optional<Flow> flow_in(const nlmsghdr* message) {
  const Entry entry = entry_in(message);
  if (!entry || !(is_udp(entry.get()) || is_tcp(entry.get()))) return std::nullopt;
  return flow_of(entry.get());
}

bool has_events() {
  const Fd file(::open("/proc/sys/net/netfilter/nf_conntrack_events", O_RDONLY | O_CLOEXEC));
  return file && io::read_all(file.get(), 16, "nf_conntrack_events") != "0\n";
}

Watch::Watch(const IpAddress& client, std::uint32_t mark)
    : handle_(open_handle(NF_NETLINK_CONNTRACK_NEW | NF_NETLINK_CONNTRACK_UPDATE), nfct_close) {
  narrow(client, mark);
  fd::set_nonblocking(fd());
}

void Watch::narrow(const IpAddress& client, std::uint32_t mark) {
  const std::unique_ptr<nfct_filter, decltype(&nfct_filter_destroy)> filter(::nfct_filter_create(),
                                                                            nfct_filter_destroy);
  if (!filter) throw std::bad_alloc();
  ::nfct_filter_add_attr_u32(filter.get(), NFCT_FILTER_L4PROTO, IPPROTO_UDP);
  if (mark != 0) {
    nfct_filter_dump_mark wanted{mark, mark};
    ::nfct_filter_add_attr(filter.get(), NFCT_FILTER_MARK, &wanted);
  }
  add_client(filter.get(), client);
  if (::nfct_filter_attach(fd(), filter.get()) != 0) tool::fail_errno(tool::os, "filter conntrack events");
}

int Watch::fd() const { return ::nfct_fd(handle_.get()); }

// Once the socket overflowed, the kernel drops every event until all that waits has been read (and so this ends);
// it says so only once.
void Watch::read_the_rest() {
  int answer = -1;
  do {
    answer = ::nfct_catch(handle_.get());
  } while (answer >= 0 || errno == ENOBUFS || errno == EINTR);
}

Watch::News Watch::read() {
  News news;
  ::nfct_callback_register(handle_.get(), static_cast<nf_conntrack_msg_type>(NFCT_T_NEW | NFCT_T_UPDATE), keep_news,
                           &news);
  news.lost = ::nfct_catch(handle_.get()) < 0 && errno == ENOBUFS;
  ::nfct_callback_unregister(handle_.get());
  if (news.lost) read_the_rest();
  return news;
}

}  // namespace conntrack
