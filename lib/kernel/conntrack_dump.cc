#include "kernel/conntrack_dump.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include <libnetfilter_conntrack/libnetfilter_conntrack.h>

#include "base/failure.h"
#include "base/fd.h"

namespace conntrack_dump {
namespace {

constexpr std::uint32_t kBySource = 1;  // of net/netfilter/nf_conntrack_netlink.c: CTA_FILTER_FLAG(CTA_IP_SRC)
constexpr std::size_t kBuffer = 32 * 1024;

using Bytes = std::vector<char>;

// A netlink attribute: length, type, payload, padded to four bytes.
Bytes attribute(int type, const void* payload, std::size_t size) {
  const nlattr header{static_cast<std::uint16_t>(NLA_HDRLEN + size), static_cast<std::uint16_t>(type)};
  Bytes bytes(static_cast<std::size_t>(NLA_ALIGN(NLA_HDRLEN + size)));
  std::memcpy(bytes.data(), &header, sizeof header);
  std::memcpy(bytes.data() + NLA_HDRLEN, payload, size);
  return bytes;
}
Bytes attribute(int type, std::uint32_t value) { return attribute(type, &value, sizeof value); }
Bytes nested(int type, const Bytes& inside) { return attribute(type | NLA_F_NESTED, inside.data(), inside.size()); }

Bytes request(const IpAddress& client, std::uint32_t mark) {
  Bytes body(NLMSG_LENGTH(sizeof(nfgenmsg)));
  const auto add = [&](const Bytes& more) { body.insert(body.end(), more.begin(), more.end()); };
  add(nested(CTA_TUPLE_ORIG, nested(CTA_TUPLE_IP, attribute(CTA_IP_V4_SRC, client.bytes(), 4))));
  add(nested(CTA_FILTER, attribute(CTA_FILTER_ORIG_FLAGS, kBySource)));
  if (mark != 0) {
    add(attribute(CTA_MARK, htonl(mark)));
    add(attribute(CTA_MARK_MASK, htonl(mark)));
  }
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(body.size());
  header.nlmsg_type = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET;
  header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  const nfgenmsg family{static_cast<std::uint8_t>(client.family()), NFNETLINK_V0, 0};
  std::memcpy(body.data(), &header, sizeof header);
  std::memcpy(body.data() + NLMSG_HDRLEN, &family, sizeof family);
  return body;
}

[[noreturn]] void fail(int error) {
  errno = error;
  tool::fail_errno(tool::os, "list conntrack");
}

}  // namespace

void of_client(const IpAddress& client, std::uint32_t mark, const std::function<void(nf_conntrack*)>& each) {
  const Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!socket) fail(errno);
  const Bytes asked = request(client, mark);
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (::sendto(socket.get(), asked.data(), asked.size(), 0, reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) <
      0)
    fail(errno);
  Bytes answer(kBuffer);
  for (;;) {
    const ssize_t got = ::recv(socket.get(), answer.data(), answer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(errno);
    auto left = static_cast<std::uint32_t>(got);
    for (auto* message = reinterpret_cast<nlmsghdr*>(answer.data()); NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_type == NLMSG_DONE) return;
      if (message->nlmsg_type == NLMSG_ERROR) fail(-static_cast<const nlmsgerr*>(NLMSG_DATA(message))->error);
      const std::unique_ptr<nf_conntrack, decltype(&nfct_destroy)> entry(::nfct_new(), nfct_destroy);
      if (!entry) throw std::bad_alloc();
      if (::nfct_nlmsg_parse(message, entry.get()) == 0) each(entry.get());
    }
  }
}

}  // namespace conntrack_dump
