#include "channel.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "base/await.h"
#include "base/failure.h"
#include "base/passing.h"
#include "base/unix_socket.h"
#include "session/trial.h"

namespace channel {
namespace {

constexpr long kSendSeconds = 30;

int option_of(int socket, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(socket, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

void send_text(const std::string& text) {
  ssize_t length;
  do {
    length = ::send(STDOUT_FILENO, text.data(), text.size(), MSG_NOSIGNAL);
  } while (length < 0 && errno == EINTR);
  if (length < 0) tool::fail_errno(tool::io, "answer");
}

}  // namespace

bool is_given() { return option_of(STDIN_FILENO, SO_DOMAIN) != -1; }

void check(uid_t uid) {
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO}) {
    if (option_of(standard, SO_DOMAIN) != AF_UNIX || option_of(standard, SO_TYPE) != SOCK_SEQPACKET) {
      throw tool::Failure(tool::not_permitted,
                          "stdin and stdout must be a SOCK_SEQPACKET socket, as asperanoded(8) makes it");
    }
  }
  if (unix_socket::peer_uid(STDIN_FILENO) != uid)
    throw tool::Failure(tool::not_permitted, "only the account of the node service may ask for leases");
  const timeval patience{kSendSeconds, 0};
  if (::setsockopt(STDOUT_FILENO, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0)
    tool::fail_errno(tool::os, "setsockopt");
}

bool is_trial(const Packet& packet) { return packet.bytes == session::trial::question().text(); }

bool begins_with_trial() {
  constexpr std::chrono::seconds kPatience{1};
  const std::string question = session::trial::question().text();
  std::string packet(question.size() + 1, '\0');
  if (!await::readable(STDIN_FILENO, Deadline::in(kPatience))) return false;
  const ssize_t length = ::recv(STDIN_FILENO, packet.data(), packet.size(), MSG_PEEK | MSG_DONTWAIT);
  return length == static_cast<ssize_t>(question.size()) && packet.starts_with(question);
}

std::optional<Packet> receive(bool& ended) {
  auto received = passing::receive(STDIN_FILENO, Record::kMaxBytes, 1);
  ended = received && received->bytes.empty();
  if (!received || ended) return std::nullopt;
  Packet packet{std::move(received->bytes), {}, received->whole};
  if (!received->descriptors.empty()) packet.descriptor = std::move(received->descriptors[0]);
  return packet;
}

void send(const Record& answer) { send_text(answer.text()); }
void send(const status::Line& outcome) { send_text(outcome.text()); }

}  // namespace channel
