#include "channel.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "base/failure.h"
#include "session/trial.h"

namespace channel {
namespace {

constexpr std::size_t kDescriptors = 4;
constexpr long kPatience = 30;  // seconds

int option_of(int socket, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(socket, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

std::vector<Fd> descriptors_of(msghdr& message) {
  std::vector<Fd> passed;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int descriptor;
      std::memcpy(&descriptor, CMSG_DATA(header) + i * sizeof(int), sizeof descriptor);
      passed.emplace_back(descriptor);
    }
  }
  return passed;
}

void send_text(const std::string& text) {
  ssize_t length;
  do {
    length = ::send(STDOUT_FILENO, text.data(), text.size(), MSG_NOSIGNAL);
  } while (length < 0 && errno == EINTR);
  if (length < 0) tool::fail_errno(tool::io, "answer");
}

}  // namespace

void check() {
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO}) {
    if (option_of(standard, SO_DOMAIN) != AF_UNIX || option_of(standard, SO_TYPE) != SOCK_SEQPACKET) {
      throw tool::Failure(tool::not_permitted,
                          "stdin and stdout must be a SOCK_SEQPACKET socket, as asperanoded(8) makes it");
    }
  }
  const timeval patience{kPatience, 0};
  if (::setsockopt(STDOUT_FILENO, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0)
    tool::fail_errno(tool::os, "setsockopt");
}

bool is_trial() {
  const std::string question = session::trial::question().text();
  std::string packet(question.size() + 1, '\0');
  const ssize_t length = ::recv(STDIN_FILENO, packet.data(), packet.size(), MSG_PEEK | MSG_DONTWAIT);
  if (length != static_cast<ssize_t>(question.size()) || !packet.starts_with(question)) return false;
  // Left there, it would break the connection when we end, before our answer is read.
  return ::recv(STDIN_FILENO, packet.data(), packet.size(), MSG_DONTWAIT) == length;
}

std::optional<Packet> receive(bool& ended) {
  alignas(cmsghdr) char control[CMSG_SPACE(kDescriptors * sizeof(int))];
  Packet packet;
  packet.bytes.resize(Record::kMaxBytes);
  iovec part{packet.bytes.data(), packet.bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t length = ::recvmsg(STDIN_FILENO, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (length < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
  ended = length == 0 || (length < 0 && errno == ECONNRESET);
  if (ended) return std::nullopt;
  if (length < 0) tool::fail_errno(tool::os, "receive a request");
  packet.bytes.resize(static_cast<std::size_t>(length));
  auto passed = descriptors_of(message);
  packet.whole = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 && passed.size() <= 1;
  if (passed.size() == 1) packet.descriptor = std::move(passed[0]);
  return packet;
}

void send(const Record& answer) { send_text(answer.text()); }
void send(const status::Line& outcome) { send_text(outcome.text()); }

}  // namespace channel
