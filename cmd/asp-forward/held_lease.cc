#include "held_lease.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include <fmt/core.h>

#include "base/failure.h"
#include "base/logging.h"

namespace forward {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kClosePatience{5000};
constexpr int kCloseAttempts = 2;
constexpr milliseconds kShortestRetry{300};
constexpr milliseconds kLongestRetry{15'000};

}  // namespace

void say(const std::string& line) { std::fputs(("asp-forward: " + logging::escape(line) + "\n").c_str(), stderr); }

// CLOCK_BOOTTIME, so that a machine that was asleep renews as soon as it wakes.
HeldLease::HeldLease(Api& api, const Wanted& wanted)
    : api_(api), timer_(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)) {
  if (!timer_) tool::fail_errno(tool::os, "timerfd_create");
  leased_ = api_.open(wanted);
  schedule_next();
}

HeldLease::~HeldLease() {
  renewal_.reset();
  if (!give_back_ || lost_) return;
  std::string why;
  for (int i = 0; i < kCloseAttempts; ++i) {
    try {
      const auto answer = api_.close_now(leased_.id, kClosePatience);
      if (answer.status == 204 || answer.status == 200 || answer.status == 404) return;
      why = sentence(answer);
    } catch (const std::exception& failure) {
      why = failure.what();
    }
  }
  try {
    say(fmt::format("give back lease {}: {}; it ends by itself{}", leased_.id, why, bound()));
  } catch (const std::exception&) {  // out of memory
  }
}

std::string HeldLease::bound() const {
  return leased_.expires.empty() ? " once it carries nothing more"
                                 : fmt::format(", at {} by the proxy's clock at the latest", leased_.expires);
}

void HeldLease::schedule(milliseconds from_now) {
  itimerspec at{};
  at.it_value = {from_now.count() / 1000, from_now.count() % 1000 * 1'000'000};
  ::timerfd_settime(timer_.get(), 0, &at, nullptr);
}

// renew_seconds may be the lease's whole time (if both settings of the proxy are equal), so a third of
// it is left for further attempts.
void HeldLease::schedule_next() {
  if (leased_.renew_seconds.count() == 0) return;
  schedule(std::max(kShortestRetry, milliseconds(leased_.renew_seconds) * 2 / 3));
}

HeldLease::Awaited HeldLease::awaited() const {
  return {await::On(timer_.get()), await::On(renewal_ ? renewal_->fd() : -1)};
}

void HeldLease::tend() {
  std::uint64_t expirations = 0;
  try {
    if (::read(timer_.get(), &expirations, sizeof expirations) == sizeof expirations && !renewal_) renew();
    const auto answer = renewal_ ? renewal_->drive() : std::nullopt;
    if (!answer) return;
    renewal_.reset();
    renewed(*answer);
  } catch (const tool::Failure& failure) {
    renewal_.reset();
    not_renewed(failure.what());
  }
}

void HeldLease::renew() {
  const auto patience = std::max(milliseconds(1000), milliseconds(leased_.renew_seconds) / 3);
  renewal_ = api_.begin_renewal(leased_.id, patience);
}

void HeldLease::renewed(const node_client::Answer& answer) {
  switch (answer.status) {
    case 200: {
      const auto fresh = parse_lease(answer.body);
      if (fresh.id != leased_.id)
        throw tool::Failure(tool::bad_input, "read answer of the proxy: it is about another lease");
      leased_.renew_seconds = fresh.renew_seconds;
      leased_.expires = fresh.expires;
      if (in_trouble_) say(fmt::format("lease {} is renewed again", leased_.id));
      in_trouble_ = false;
      schedule_next();
      return;
    }
    case 404:
      lost_ = true;
      say(fmt::format("lease {} is over: the proxy forwards nothing more for it", leased_.id));
      return;
    case 401:
    case 403:
      say(fmt::format("lease {} will not be renewed: {}; it ends by itself{}", leased_.id, sentence(answer), bound()));
      return;
    default: not_renewed(sentence(answer));
  }
}

void HeldLease::not_renewed(const std::string& why) {
  if (!in_trouble_) say(fmt::format("renew lease {}: {}; trying again", leased_.id, why));
  in_trouble_ = true;
  schedule(std::clamp(milliseconds(leased_.renew_seconds) / 6, kShortestRetry, kLongestRetry));
}

}  // namespace forward
