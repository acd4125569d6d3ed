#include "burst.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "base/deadline.h"
#include "base/failure.h"

namespace asp_cp::burst {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kLength{2000};
constexpr seconds kStandstill{5};
// The burst's own time, and again as much for what is still under way.
constexpr seconds kLongest{20};
constexpr std::size_t kBurstChunk = 64 * 1024;
constexpr std::uint64_t kFirst = 64 * 1024;
constexpr milliseconds kPause{5};

}  // namespace

Sent send(Session& session) {
  const auto chunk = std::make_unique<char[]>(kBurstChunk);
  std::uint64_t sent = 0;
  for (const auto until = Deadline::in(kLength); !until.over();) {
    const std::uint64_t unsent = session.link().unsent();
    const std::uint64_t arrived = sent - std::min(sent, unsent);
    const std::uint64_t may = std::max(kFirst, arrived);
    if (session.glance()) throw tool::Failure(tool::bad_input, "protocol: a message out of turn");
    if (unsent >= may) {
      session.link().check();
      if (session.wait(kPause)) throw tool::Failure(tool::bad_input, "protocol: a message out of turn");
      continue;
    }
    sent += session.link().send(chunk.get(),
                                static_cast<std::size_t>(std::min<std::uint64_t>(kBurstChunk, may - unsent)), kPause);
  }
  session.send(Sent{sent}.record());
  return {sent};
}

Came receive(Session& session) {
  const auto chunk = std::make_unique<char[]>(kBurstChunk);
  Got got;
  std::optional<Sent> sent;
  std::optional<Clock::time_point> first, last;
  const auto deadline = Deadline::in(kLongest);
  auto standstill = Deadline::in(kLength + kStandstill);
  while (!(sent && got.bytes >= sent->bytes) && !deadline.over() && !standstill.over()) {
    const std::size_t count = session.link().receive(chunk.get(), kBurstChunk, milliseconds(20));
    if (count > 0) {
      last = Clock::now();
      if (!first) first = last;
      got.bytes += count;
      standstill = Deadline::in(kStandstill);
    }
    if (sent) continue;
    if (const auto message = session.glance()) sent = Sent::parse(*message);
  }
  if (first)
    got.us = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(*last - *first).count());
  return {sent.value_or(Sent{}), got};
}

}  // namespace asp_cp::burst
