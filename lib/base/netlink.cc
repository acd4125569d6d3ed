#include "base/netlink.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

#include "base/await.h"
#include "base/fd.h"

namespace netlink {
namespace {

constexpr std::uint32_t kSequence = 1;  // each socket sends one question
constexpr std::size_t kBuffer = 32 * 1024;
constexpr std::chrono::seconds kPatience{10};  // the kernel may leave a question unanswered that it does not understand

// The error number in a message that ends the answer: negated, or none.
int error_in(const nlmsghdr* message) {
  const int* const error = payload<int>(message);
  return error && *error < 0 ? -*error : 0;
}

// Receives one datagram of the kernel; -1 and errno.
ssize_t receive(int socket, std::vector<char>& buffer, const Deadline& deadline) {
  while (await::readable(socket, deadline)) {
    sockaddr_nl from{};
    socklen_t size = sizeof from;
    const ssize_t got = ::recvfrom(socket, buffer.data(), buffer.size(), MSG_TRUNC | MSG_DONTWAIT,
                                   reinterpret_cast<sockaddr*>(&from), &size);
    const bool cut = got > static_cast<ssize_t>(buffer.size());
    if (cut) errno = EMSGSIZE;
    if (cut || (got < 0 && errno != EINTR && errno != EAGAIN)) return -1;
    if (got >= 0 && from.nl_pid == 0) return got;  // other processes may send, too
  }
  errno = ETIMEDOUT;
  return -1;
}

}  // namespace

Question::Question(std::uint16_t type, std::uint16_t flags) {
  nlmsghdr* const header = ::mnl_nlmsg_put_header(bytes_.data());
  header->nlmsg_type = type;
  header->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  header->nlmsg_seq = kSequence;
}

// mnl_nlmsg_ok() takes a length above INT_MAX for a small one.
void each_message(std::string_view received, const std::function<void(const nlmsghdr*)>& each) {
  while (received.size() >= sizeof(nlmsghdr)) {
    const auto* const message = reinterpret_cast<const nlmsghdr*>(received.data());
    if (message->nlmsg_len < sizeof(nlmsghdr) || message->nlmsg_len > received.size()) return;
    each(message);
    received.remove_prefix(std::min<std::size_t>(NLMSG_ALIGN(message->nlmsg_len), received.size()));
  }
}

// A dump ends with NLMSG_DONE; an answer without NLM_F_MULTI is all there is.
int ask(int bus, Question& question, const std::function<void(const nlmsghdr*)>& each, bool strict) {
  const Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, bus));
  if (!socket) return errno;
  const int on = 1;
  if (strict && ::setsockopt(socket.get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on) != 0) return errno;
  const auto size = static_cast<ssize_t>(question.get()->nlmsg_len);
  if (::send(socket.get(), question.get(), static_cast<std::size_t>(size), 0) != size) return errno;
  std::vector<char> buffer(kBuffer);
  const auto deadline = Deadline::in(kPatience);
  for (;;) {
    const ssize_t got = receive(socket.get(), buffer, deadline);
    if (got < 0) return errno;
    std::optional<int> end;
    each_message({buffer.data(), static_cast<std::size_t>(got)}, [&](const nlmsghdr* message) {
      if (end || !::mnl_nlmsg_seq_ok(message, kSequence)) return;
      if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR) {
        end = error_in(message);
        return;
      }
      each(message);
      if ((message->nlmsg_flags & NLM_F_MULTI) == 0) end = 0;
    });
    if (end) return *end;
  }
}

}  // namespace netlink
