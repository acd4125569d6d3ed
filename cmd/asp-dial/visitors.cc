#include "visitors.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/await.h"
#include "base/failure.h"
#include "base/io.h"
#include "base/passing.h"
#include "base/record.h"
#include "base/unix_socket.h"
#include "session/spool.h"

namespace {

constexpr std::chrono::seconds kFirstVisitTime{10};
constexpr std::chrono::seconds kRequest{2};  // root's side says all at once

void put_in_place(int from, int to) {
  if (::dup2(from, to) < 0) tool::fail_errno(tool::os, "dup2");
}

// Absent: the visitor is not root, or the message is malformed.
std::optional<Visit> receive(Fd socket) {
  if (unix_socket::peer_uid(socket.get()) != 0) return std::nullopt;
  try {
    if (!await::readable(socket.get(), Deadline::in(kRequest))) return std::nullopt;
    const auto said = passing::receive(socket.get(), Record::kMaxBytes, 3);
    if (!said || said->descriptors.size() != 3 || !said->bytes.ends_with("\n\n")) return std::nullopt;
    const Record record = record::parse_one(said->bytes);
    record.check_names({"command", "term"});
    Visit visit{std::move(socket), record.require("command"), record.get("term").value_or("dumb")};
    for (int fd = 0; fd < 3; ++fd) put_in_place(said->descriptors.at(static_cast<std::size_t>(fd)).get(), fd);
    return visit;
  } catch (const tool::Failure&) {
    return std::nullopt;
  }
}

}  // namespace

Visitors::Visitors(int listener) : listener_(listener), null_(fd::open("/dev/null", O_RDWR)) {
  fd::set_nonblocking(listener_);
}

std::optional<Visit> Visitors::first() { return wait(nullptr, Deadline::in(kFirstVisitTime)); }

std::optional<Visit> Visitors::next(upstream::Session& session, std::chrono::seconds patience) {
  // The descriptors are the session's: their other ends wait for us to close them.
  for (int fd = 0; fd < 3; ++fd) put_in_place(null_.get(), fd);
  if (session::spool::stopped() || session::spool::drained()) return std::nullopt;
  return wait(&session, Deadline::in(patience));
}

std::optional<Visit> Visitors::wait(upstream::Session* session, const Deadline& deadline) {
  for (;;) {
    await::On visitor(listener_), signal(signals_.fd());
    await::On server(session ? session->fd() : -1, session ? session->events() : short{0});
    if (deadline.over() || !await::any(deadline, visitor, server, signal) || signal) return std::nullopt;
    if (server && !session->process()) return std::nullopt;
    if (!visitor) continue;
    Fd socket(::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC));
    if (!socket) continue;
    if (auto visit = receive(std::move(socket))) return visit;
  }
}
