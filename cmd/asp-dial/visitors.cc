#include "visitors.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "base/failure.h"
#include "base/io.h"
#include "base/record.h"
#include "session/spool.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kFirst{10};
constexpr timeval kWord{2, 0};  // root's side says all at once

Fd watch_signals() {
  sigset_t watched;
  ::sigemptyset(&watched);
  for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM}) ::sigaddset(&watched, number);
  ::sigprocmask(SIG_BLOCK, &watched, nullptr);
  Fd fd(::signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) tool::fail_errno(tool::os, "signalfd");
  return fd;
}

bool is_from_root(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == 0;
}

void put_in_place(const std::vector<Fd>& descriptors) {
  for (int fd = 0; fd < 3; ++fd) {
    if (::dup2(descriptors.at(static_cast<std::size_t>(fd)).get(), fd) < 0) tool::fail_errno(tool::os, "dup2");
  }
}

// They are the session's: whoever is at their other end waits for us to close them.
void let_go() {
  std::vector<Fd> none;
  for (int fd = 0; fd < 3; ++fd) none.push_back(fd::open("/dev/null", O_RDWR));
  put_in_place(none);
}

// Absent: who came is not root, or does not keep to the form.
std::optional<Visit> receive(Fd socket) {
  if (!is_from_root(socket.get())) return std::nullopt;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &kWord, sizeof kWord);
  try {
    auto said = fd::receive(socket.get(), Record::kMaxBytes);
    if (said.descriptors.size() != 3 || !said.bytes.ends_with("\n\n")) return std::nullopt;
    const Record record = record::parse_one(said.bytes);
    record.check_names({"command", "term"});
    Visit visit{std::move(socket), record.require("command"), record.get("term").value_or("dumb")};
    put_in_place(said.descriptors);
    return visit;
  } catch (const tool::Failure&) {
    return std::nullopt;
  }
}

}  // namespace

Visitors::Visitors(int listener) : listener_(listener), signals_(watch_signals()) { fd::set_nonblocking(listener_); }

std::optional<Visit> Visitors::first() { return await(nullptr, kFirst); }

std::optional<Visit> Visitors::next(upstream::Session& session, std::chrono::seconds patience) {
  let_go();
  if (session::spool::stopped() || session::spool::drained()) return std::nullopt;
  return await(&session, patience);
}

std::optional<Visit> Visitors::await(upstream::Session* session, std::chrono::seconds patience) {
  const auto deadline = Clock::now() + patience;
  for (;;) {
    const int left = upstream::milliseconds_left(deadline);
    if (left == 0) return std::nullopt;
    pollfd fds[] = {{listener_, POLLIN, 0},
                    {session ? session->fd() : -1, session ? session->events() : short{0}, 0},
                    {signals_.get(), POLLIN, 0}};
    if (::poll(fds, std::size(fds), left) < 0 && errno != EINTR) tool::fail_errno(tool::os, "poll");
    if (fds[2].revents != 0) return std::nullopt;
    if (fds[1].revents != 0 && !session->process()) return std::nullopt;
    if (fds[0].revents == 0) continue;
    Fd socket(::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC));
    if (!socket) continue;
    if (auto visit = receive(std::move(socket))) return visit;
  }
}
