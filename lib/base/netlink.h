// base/netlink: asks the kernel over netlink(7), and reads the whole answer; libmnl
// frames the messages. The kernel's headers describe their contents.
//
//   netlink::Question question(RTM_GETROUTE, NLM_F_DUMP);
//   question.header<rtmsg>().rtm_family = AF_INET;
//   const int error = netlink::ask(NETLINK_ROUTE, question, [](const nlmsghdr* answer) { … });
#pragma once

#include <libmnl/libmnl.h>

#include <array>
#include <cstdint>
#include <functional>
#include <string_view>

namespace netlink {

// Only for small questions: nothing checks whether the contents fit.
class Question {
 public:
  Question(std::uint16_t type, std::uint16_t flags);

  // The zeroed header after netlink's own one. Must be called first, and once.
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

// Asks on `bus`, such as NETLINK_ROUTE, and calls `each` for every message of the answer. The message
// is complete; payload<Header>() checks whether its contents are. `strict`: the kernel has to take the
// question literally (NETLINK_GET_STRICT_CHK). Takes at most 10 s. Returns 0, or the errno of the
// kernel or the socket.
int ask(int bus, Question& question, const std::function<void(const nlmsghdr*)>& each, bool strict = false);

// Calls `each` for every whole message of a datagram, which is aligned as new aligns; ends at the first that
// is not whole.
void each_message(std::string_view received, const std::function<void(const nlmsghdr*)>& each);

// Null when the message is too short for the header.
template <typename Header>
const Header* payload(const nlmsghdr* message) {
  if (::mnl_nlmsg_get_payload_len(message) < sizeof(Header)) return nullptr;
  return static_cast<const Header*>(::mnl_nlmsg_get_payload(message));
}

// Calls `each` for every attribute after the message's Header.
template <typename Header, typename Each>
void each_attribute(const nlmsghdr* message, Each each) {
  const auto* at = static_cast<const nlattr*>(::mnl_nlmsg_get_payload_offset(message, sizeof(Header)));
  // Not mnl_nlmsg_get_payload_tail(), which rounds up: the last message may lack its padding.
  const auto* const end = reinterpret_cast<const char*>(message) + message->nlmsg_len;
  for (; ::mnl_attr_ok(at, static_cast<int>(end - reinterpret_cast<const char*>(at))); at = ::mnl_attr_next(at))
    each(at);
}

}  // namespace netlink
