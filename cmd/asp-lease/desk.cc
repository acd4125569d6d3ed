#include "desk.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fmt/core.h>

#include "base/boot_clock.h"
#include "base/failure.h"
#include "base/logging.h"
#include "base/wall_clock.h"
#include "lease/base.h"
#include "lease/flows.h"
#include "lease/life.h"
#include "lease/lock.h"
#include "lease/reap.h"
#include "lease/text.h"
#include "session/spool.h"

namespace {

using firewall::text::Family;

const Refusal kBusy{"busy", "The proxy is busy; try again in a moment."};
const Refusal kStandby{"standby", "This proxy is a standby: another one of its cluster gives leases."};
const Refusal kStoreAway{"store_unavailable",
                         "The proxies of the cluster cannot agree on leases now; try again in a moment."};
const Refusal kInternal{"internal", "The proxy cannot do that now; its log says why."};

// True if no program on this host uses the port: the mapping would take it away.
bool is_free(const IpAddress& address, Port port, int type) {
  const Fd socket(::socket(address.family(), type | SOCK_CLOEXEC, 0));
  if (!socket) tool::fail_errno(tool::os, "socket");
  const int on = 1;
  // Closed connections do not block the port, listeners do.
  if (type == SOCK_STREAM) ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_storage name{};
  const socklen_t size = Endpoint{address, port}.to_sockaddr(name);
  return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&name), size) == 0 || errno != EADDRINUSE;
}

void ensure_base(Family family) {
  try {
    lease::base::ensure(family);
  } catch (const tool::Failure& failure) {
    logging::error("No base rules for {}: {}", family == Family::v4 ? "IPv4" : "IPv6", logging::escape(failure.what()));
  }
}

}  // namespace

void Desk::prepare() {
  if (!settings_.config().proxy.enabled || session::spool::stopped()) return;
  {
    const lease::Lock lock;
    lease::rules::lay_base(registry_.ways);
  }
  for (const Family family : {Family::v4, Family::v6}) ensure_base(family);
}

void Desk::catch_up() {
  if (!registry_.peering) return;
  try {
    const lease::Lock lock;
    lease::reap::catch_up(registry_);
  } catch (const tool::Failure& failure) {
    logging::error("{}", logging::escape(failure.what()));
  }
}

void Desk::serve(const std::vector<Job*>& jobs) {
  change_ = {};
  changing_.clear();
  lost_.clear();
  try {
    const lease::Lock lock;
    serve_locked(jobs);
  } catch (const tool::Failure& failure) {
    logging::error("{}", logging::escape(failure.what()));
    for (Job* job : jobs) {
      if (job->state != Job::State::answered) job->refuse(failure.code() == tool::temporary ? kBusy : kInternal);
    }
  }
  for (const Family family : lost_) ensure_base(family);
}

void Desk::serve_locked(const std::vector<Job*>& jobs) {
  for (Job* job : jobs) {
    try {
      handle(*job);
    } catch (const Refusal& refusal) {
      logging::debug1("Refused to {}: {} ({})", job->owner, refusal.code, logging::escape(refusal.reason));
      job->refuse(refusal);
    } catch (const tool::Failure& failure) {
      // The reason was logged when the store went away.
      const bool away = registry_.peering && failure.code() == tool::temporary;
      if (!away) logging::error("{}", logging::escape(failure.what()));
      job->refuse(away ? kStoreAway : kInternal);
    }
  }
  put_in_force();
  registry_.tell_changes();
}

void Desk::handle(Job& job) {
  Record answer;
  if (!job.owner.empty() && !registry_.serves()) throw kStandby;
  switch (job.kind) {
    case Job::Kind::open: return open(job);
    case Job::Kind::renew: return renew(job);
    case Job::Kind::close: return close(job);
    case Job::Kind::show: return job.answer(find(job));
    case Job::Kind::list: return list(job);
    case Job::Kind::sweep:
      answer.add("answer", "swept");
      answer.add("count", std::to_string(lease::life::sweep(registry_)));
      return job.answer(answer);
    case Job::Kind::count:
      answer.add("answer", "count");
      answer.add("leases", std::to_string(store_.count()));
      return job.answer(answer);
  }
}

void Desk::check_admission(const Job& job) {
  if (session::spool::stopped()) throw Refusal{"stopped", "The proxy is stopped."};
  if (session::spool::drained()) throw Refusal{"drained", "The proxy gives no new leases for now."};
  const unsigned limit = settings_.config().proxy.max_leases_per_user;
  if (limit > 0 && store_.count_of(job.owner) >= limit) {
    throw Refusal{"too_many_leases", fmt::format("The limit of {} leases at a time is reached.", limit)};
  }
}

void Desk::open(Job& job) {
  check_admission(job);
  lease::Lease lease = job.lease;
  const auto& proxy = settings_.config().proxy;
  const int count = lease.destination_udp_ports.high - lease.destination_udp_ports.low + 1;
  const auto usable = [&](Port first) {
    for (int i = 0; i < count; ++i) {
      if (!is_free(lease.proxy, static_cast<Port>(first + i), SOCK_DGRAM)) return false;
    }
    return is_free(lease.proxy, first, SOCK_STREAM);
  };
  const auto first = store_.take_ports(lease.id, {proxy.port_range_low, proxy.port_range_high}, count, usable);
  if (!first) throw Refusal{"ports_exhausted", "All ports for leases are taken; try again later."};
  try {
    lease.ssh_port = *first;
    lease.udp_ports = {*first, static_cast<Port>(*first + count - 1)};
    lease.started = wall_clock::now();
    lease.deadline = lease::life::deadline_of(lease, boot_clock::seconds());
    store_.put(lease::Lease::from_record(lease.to_record()));  // runs all checks of a record
  } catch (...) {
    store_.give_back(lease.id, *first, count);
    throw;
  }
  change_.opened.push_back(lease);
  changing_.push_back(&job);
  job.answer(lease);
}

// Another user's lease counts as missing.
lease::Lease Desk::find(const Job& job) {
  const auto lease = store_.get(job.lease.id);
  const bool over = lease && (lease->ending || (!lease->lives_by_flows() && lease->is_over(boot_clock::seconds())));
  if (!lease && !registry_.is_whole()) throw kStoreAway;
  if (!lease || over || !job.may_touch(*lease)) throw Refusal{"not_found", "There is no such lease."};
  return *lease;
}

void Desk::renew(Job& job) {
  lease::Lease lease = find(job);
  lease.deadline = lease::life::deadline_of(lease, boot_clock::seconds());
  store_.put(lease);
  std::erase_if(change_.renewed, [&](const lease::Lease& other) { return other.id == lease.id; });
  change_.renewed.push_back(lease);
  changing_.push_back(&job);
  job.answer(lease);
}

void Desk::close(Job& job) {
  lease::Lease lease = find(job);
  job.answer(lease);
  changing_.push_back(&job);
  std::erase_if(change_.renewed, [&](const lease::Lease& other) { return other.id == lease.id; });
  lease::life::begin_end(store_, lease);
  change_.closed.push_back(lease);
}

void Desk::list(Job& job) {
  auto leases = job.admin ? store_.all() : store_.of(job.owner);
  std::erase_if(leases, [](const lease::Lease& lease) { return lease.ending; });
  for (const auto& lease : leases) job.answer(lease);
  Record end;
  end.add("answer", "end");
  job.answer(end);
}

void Desk::put_in_force() {
  try {
    if (lease::rules::apply(change_, registry_)) {
      for (const auto& lease : change_.opened) lost_.insert(lease::text::family_of(lease));
    }
    if (fresh_.empty()) first_fresh_ = std::chrono::steady_clock::now();
    fresh_.insert(fresh_.end(), change_.opened.begin(), change_.opened.end());
    log_done();
    lease::life::finish(registry_, change_.closed, "given back");
  } catch (const tool::Failure& failure) {
    logging::error("{}", logging::escape(failure.what()));
    for (Job* job : changing_) job->refuse(kInternal);
    close_opened();
  }
}

// Flows that are not translated although the rule is in force came before it. Nobody waits for their
// end: it takes the kernel as long as a dozen leases.
void Desk::end_early_flows(bool idle) {
  constexpr std::chrono::seconds kLongestEarlyWait{1};
  if (fresh_.empty() || (!idle && std::chrono::steady_clock::now() - first_fresh_ < kLongestEarlyWait)) return;
  try {
    lease::flows::end_early(std::exchange(fresh_, {}));
  } catch (const tool::Failure& failure) {
    logging::error("{}", logging::escape(failure.what()));
  }
}

void Desk::close_opened() {
  try {
    lease::life::end(registry_, change_.opened, "it could not be put in force");
  } catch (const tool::Failure& failure) {
    logging::error("{}; asp-reap will mend it", logging::escape(failure.what()));
  }
}

void Desk::log_done() const {
  for (const auto& lease : change_.opened) {
    logging::event("Leased lease={} user={} client={} port={} destination={} address={}:{} udp={}: {}", lease.id,
                   lease.user.empty() ? "-" : lease.user, lease.client.text(), lease.ssh_port, lease.destination,
                   lease.address.text(), lease.destination_ssh_port, lease.destination_udp_ports.text(),
                   lease.lives_by_flows() ? "while it is used" : fmt::format("{} s", lease.lifetime.count()));
  }
  for (const auto& lease : change_.renewed) logging::debug1("Renewed lease={} {}", lease.id, lease.owner());
}
