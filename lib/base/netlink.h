// base/netlink: a question to the kernel over netlink(7), and all that it answers; libmnl
// frames the messages. What is in them, the headers of the kernel say.
//
//   netlink::Question question(RTM_GETROUTE, NLM_F_DUMP);
//   question.header<rtmsg>().rtm_family = AF_INET;
//   const int error = netlink::ask(NETLINK_ROUTE, question, [](const nlmsghdr* answer) { … });
#pragma once

#include <libmnl/libmnl.h>

#include <array>
#include <cstdint>
#include <functional>

namespace netlink {

// As small as ours are: what goes into one is checked by nobody, and must fit.
class Question {
 public:
  Question(std::uint16_t type, std::uint16_t flags);

  // What follows netlink's own header, zeroed; first of all, and once.
  template <typename Header>
  Header& header() {
    return *static_cast<Header*>(::mnl_nlmsg_put_extra_header(get(), sizeof(Header)));
  }
  // For libmnl, which adds attributes to it (mnl_attr_put and so on).
  nlmsghdr* get() { return reinterpret_cast<nlmsghdr*>(bytes_.data()); }

 private:
  friend int ask(int bus, Question& question, const std::function<void(const nlmsghdr*)>& each, bool strict);
  alignas(nlmsghdr) std::array<char, 512> bytes_{};
};

// Asks on `bus`, as NETLINK_ROUTE, and calls `each` for every message of the answer, which
// is whole; payload<Header>() says whether it has what it should have. `strict`: the kernel is to take the question at
// its word (NETLINK_GET_STRICT_CHK). At most 10 s. Returns 0, or the errno that the kernel or the socket gave.
int ask(int bus, Question& question, const std::function<void(const nlmsghdr*)>& each, bool strict = false);

// Null when the message is too short for one.
template <typename Header>
const Header* payload(const nlmsghdr* message) {
  if (::mnl_nlmsg_get_payload_len(message) < sizeof(Header)) return nullptr;
  return static_cast<const Header*>(::mnl_nlmsg_get_payload(message));
}

// Calls `each` for every attribute behind the message's Header.
template <typename Header, typename Each>
void each_attribute(const nlmsghdr* message, Each each) {
  const auto* at = static_cast<const nlattr*>(::mnl_nlmsg_get_payload_offset(message, sizeof(Header)));
  const auto* const end = static_cast<const char*>(::mnl_nlmsg_get_payload_tail(message));
  for (; ::mnl_attr_ok(at, static_cast<int>(end - reinterpret_cast<const char*>(at))); at = ::mnl_attr_next(at))
    each(at);
}

}  // namespace netlink
