#include "lease_link.h"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "base/await.h"
#include "base/decimal.h"
#include "base/failure.h"
#include "base/logging.h"
#include "base/passing.h"
#include "base/unix_socket.h"

namespace asperanoded {
namespace {

constexpr std::chrono::milliseconds kFirstBackOff{100};
constexpr std::chrono::milliseconds kLongestBackOff{5000};

}  // namespace

LeaseLink::LeaseLink(std::string path) : path_(std::move(path)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!wake_) tool::fail_errno(tool::os, "eventfd");
  thread_ = std::thread([this] { run(); });
}

void LeaseLink::stop() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  ::eventfd_write(wake_.get(), 1);
  if (thread_.joinable()) thread_.join();
}

bool LeaseLink::ask(const Record& request, Fd connection, Done done) {
  {
    const std::lock_guard lock(mutex_);
    if (over_ || waiting_ >= kMaxWaiting) return false;
    ++waiting_;
    queued_.push_back({request, std::move(connection), std::move(done), Deadline::in(kPatience)});
  }
  ::eventfd_write(wake_.get(), 1);
  return true;
}

unsigned LeaseLink::restarts() const {
  const std::lock_guard lock(mutex_);
  return starts_ > 0 ? starts_ - 1 : 0;
}

void LeaseLink::run() {
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (over_) break;
    }
    try {
      if (!socket_ && next_start_.over()) start();
      if (!socket_) lose("is not there");
      send_queued();
      await::On woken(wake_.get()), answers(socket_.get());
      await::any(next_turn(), woken, answers);
      eventfd_t count;
      ::eventfd_read(wake_.get(), &count);
      if (answers) receive();
      check_deadlines();
    } catch (const std::exception& fault) {
      lose(fault.what());
    }
  }
  lose("");
}

// The time when there is something to do without an event.
Deadline LeaseLink::next_turn() const {
  using namespace std::chrono_literals;
  if (!socket_) return std::max(next_start_, Deadline::in(1ms));
  const std::lock_guard lock(mutex_);
  if (!queued_.empty()) return Deadline::in(5ms);  // the socket was full
  return sent_.empty() ? Deadline::never() : Deadline::in(1s);
}

void LeaseLink::start() {
  back_off_ = std::clamp(back_off_ * 2, kFirstBackOff, kLongestBackOff);
  next_start_ = Deadline::in(back_off_);
  socket_ = unix_socket::connect(path_);
  if (!socket_) tool::fail_errno(tool::os, "is not there: connect to " + path_);
  const std::lock_guard lock(mutex_);
  ++starts_;
}

// Tells all waiting requests; empty `why`: the service ends.
void LeaseLink::lose(const std::string& why) {
  const bool was_there = static_cast<bool>(socket_);
  socket_.reset();
  std::deque<Question> lost;
  for (auto& [tag, one] : sent_) lost.push_back(std::move(one));
  sent_.clear();
  {
    const std::lock_guard lock(mutex_);
    for (auto& one : queued_) lost.push_back(std::move(one));
    queued_.clear();
    waiting_ -= lost.size();
  }
  if (!why.empty() && (was_there || !complained_)) {
    if (!complained_) logging::error("asp-lease {}: no leases until it runs again", logging::escape(why));
    complained_ = true;
  }
  for (auto& one : lost) one.done({});
}

void LeaseLink::send_queued() {
  const std::lock_guard lock(mutex_);
  while (socket_ && !queued_.empty()) {
    Question& next = queued_.front();
    next.request.set("tag", std::to_string(last_tag_ + 1));
    std::vector<int> passed;
    if (next.connection) passed.push_back(next.connection.get());
    const auto sent = passing::send(socket_.get(), next.request.text(), passed);
    if (sent == passing::Sent::not_now) return;
    if (sent == passing::Sent::gone) throw tool::Failure(tool::os, "takes no requests any more");
    next.connection.reset();
    sent_.emplace(++last_tag_, std::move(next));
    queued_.pop_front();
  }
}

void LeaseLink::receive() {
  std::string packet(Record::kMaxBytes + 1, '\0');
  for (;;) {
    const ssize_t got = ::recv(socket_.get(), packet.data(), packet.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) throw tool::Failure(tool::os, "has ended");
    take(record::parse_one(std::string_view(packet).substr(0, static_cast<std::size_t>(got))));
  }
}

void LeaseLink::take(Record answer) {
  const auto tag = parse_decimal(answer.get("tag").value_or(""), 1, std::numeric_limits<long>::max());
  const auto asked = sent_.find(tag ? static_cast<std::uint64_t>(*tag) : 0);
  if (asked == sent_.end()) throw tool::Failure(tool::os, "sent an answer that nobody had asked for");
  const bool part = asked->second.request.require("request") == "list" && answer.require("answer") == "lease";
  asked->second.answer.push_back(std::move(answer));
  if (part) return;
  Question answered = std::move(asked->second);
  sent_.erase(asked);
  {
    const std::lock_guard lock(mutex_);
    --waiting_;
  }
  back_off_ = std::chrono::milliseconds(0);
  if (complained_) logging::event("asp-lease runs again");
  complained_ = false;
  answered.done(std::move(answered.answer));
}

void LeaseLink::check_deadlines() {
  if (sent_.empty() || !sent_.begin()->second.deadline.over()) return;
  throw tool::Failure(tool::temporary, "does not answer (asperaproxy check tries it)");
}

}  // namespace asperanoded
