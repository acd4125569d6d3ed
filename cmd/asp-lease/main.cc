// asp-lease: opens, renews and closes leases of the forward proxy for the node service; asp-lease(8).
//
// It is the only part of the forward proxy that runs as root. It takes no arguments and believes
// nobody: the kernel tells who calls and whose connection it is, and aspera.conf and
// node_users.conf, read here once more, tell what that user may have.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <deque>

#include <fmt/core.h>

#include "base/accounts.h"
#include "base/await.h"
#include "base/confine.h"
#include "base/confine_phases.h"
#include "base/logging.h"
#include "base/paths.h"
#include "base/privilege.h"
#include "base/tool.h"
#include "channel.h"
#include "desk.h"
#include "door.h"
#include "job.h"
#include "kernel/own_addresses.h"
#include "lease/open.h"
#include "session/spool.h"
#include "session/trial.h"
#include "settings.h"

namespace {

// Input is not read while this many jobs wait, or this many names are looked up.
constexpr std::size_t kMaxJobs = 256;
constexpr std::size_t kMaxLookups = 32;
// How long the input must be quiet before early flows are looked for.
constexpr std::chrono::milliseconds kQuietTime{5};
// How long closing leases waits for other requests.
constexpr std::chrono::milliseconds kLongestEndWait{50};
// How often a node of a cluster checks whether others know more of leases.
constexpr std::chrono::milliseconds kCatchUpEvery{1000};

class Service {
 public:
  Service()
      : settings_(Settings::read()), registry_(lease::open_registry(settings_.config())), desk_(registry_, settings_) {}

  // Runs until asperanoded closes its end; leases stay.
  void run() {
    desk_.prepare();
    while (!ended_) {
      const bool idle = !wait();
      if (registry_.peering) catch_up();
      desk_.end_early_flows(idle);
      read();
      decide();
      serve();
      answer();
    }
  }

 private:
  std::size_t lookups() const {
    return static_cast<std::size_t>(
        std::count_if(jobs_.begin(), jobs_.end(), [](const Job& job) { return job.lookup.has_value(); }));
  }
  bool has_ready() const {
    return std::any_of(jobs_.begin(), jobs_.end(), [](const Job& job) { return job.state == Job::State::ready; });
  }
  bool has_room() const { return jobs_.size() < kMaxJobs && lookups() < kMaxLookups; }

  // False: nothing arrived, and there is something else to do.
  bool wait() const {
    std::vector<await::On> awaited{await::On(has_room() ? STDIN_FILENO : -1)};
    auto until = desk_.has_early_flows() ? Deadline::in(kQuietTime)
                 : registry_.peering     ? Deadline::in(kCatchUpEvery)
                                         : Deadline::never();
    if (has_ready()) until = Deadline::now();
    for (const auto& job : jobs_) {
      if (!job.lookup) continue;
      awaited.emplace_back(job.lookup->fd());
      until = std::min(until, job.lookup->deadline());
    }
    return await::any(until, awaited);
  }

  void catch_up() {
    const auto now = std::chrono::steady_clock::now();
    if (now - caught_up_ < kCatchUpEvery) return;
    desk_.catch_up();
    caught_up_ = std::chrono::steady_clock::now();
  }

  // Reads everything that is there, so that it is carried out together.
  void read() {
    std::optional<config::destination::Surroundings> here;
    while (!ended_ && has_room()) {
      const auto packet = channel::receive(ended_);
      if (!packet) break;
      if (channel::is_trial(*packet)) {
        channel::send(session::trial::answer());
        continue;
      }
      if (!here) here = {own_addresses::read(), own_addresses::connected()};
      jobs_.push_back(job::make(*packet, settings_, *here));
    }
  }

  void decide() {
    for (auto& job : jobs_) job.take_answer();
  }

  // Closing leases takes several times as long as opening one, however many are closed together: closes wait
  // until no other request waits.
  void serve() {
    std::vector<Job*> ready, others;
    for (auto& job : jobs_) {
      if (job.state != Job::State::ready) continue;
      ready.push_back(&job);
      if (!gives_way(job)) others.push_back(&job);
    }
    if (!ready.empty()) desk_.serve(others.empty() ? ready : others);
  }

  // True for requests that may wait. Without a tag, answers must be in the order of the requests.
  static bool gives_way(const Job& job) {
    return job.kind == Job::Kind::close && !job.tag.empty() &&
           std::chrono::steady_clock::now() - job.came < kLongestEndWait;
  }

  // Sends answers in the order of the requests; those with a tag as soon as possible.
  void answer() {
    bool in_order = true;
    for (auto& job : jobs_) {
      const bool answered = job.state == Job::State::answered;
      in_order = in_order && (answered || !job.tag.empty());
      if (!answered || (!in_order && job.tag.empty())) continue;
      for (const auto& record : job.answers) channel::send(record);
      job.answers.clear();
    }
    std::erase_if(jobs_, [](const Job& job) { return job.state == Job::State::answered && job.answers.empty(); });
  }

  Settings settings_;
  lease::Registry registry_;
  Desk desk_;
  std::deque<Job> jobs_;
  bool ended_ = false;
  std::chrono::steady_clock::time_point caught_up_{};
};

int run(int argc, char**) {
  privilege::leave_limits();
  privilege::keep_only({});
  privilege::ignore_terminal();
  ::setsid();
  if (argc != 1) throw tool::Failure(tool::usage, "asp-lease takes no arguments");
  if (::geteuid() != 0) throw tool::Failure(tool::not_permitted, "asp-lease must be started as root");
  if (!accounts::exists(paths::kNodeAccount)) {
    throw tool::Failure(tool::config,
                        fmt::format("there is no account {}: make it as INSTALL says", paths::kNodeAccount));
  }
  session::spool::prepare();
  if (!channel::is_given() && !door::open()) return tool::yes;
  const uid_t asks = accounts::identity_of(paths::kNodeAccount).uid;
  channel::check(asks);
  logging::set_user(asks);  // what users of the API cause, has one share of the log's file together
  confine::keep_capabilities(confine::kVerifiedLease);
  confine::forbid_dangerous();
  // Wrong settings are another matter.
  if (channel::begins_with_trial()) {
    bool ended = false;
    channel::receive(ended);
    channel::send(session::trial::answer());
    return tool::yes;
  }
  Service().run();
  return tool::yes;
}

}  // namespace

int main(int argc, char** argv) {
  return tool::guard("asp-lease", "asp-lease", run, argc, argv, tool::Audience::operators);
}
