#include "lease/shared.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

#include <fmt/core.h>

#include "base/boot_clock.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/logging.h"
#include "base/paths.h"
#include "base/uuid.h"
#include "cluster/node_name.h"
#include "cluster/redis.h"
#include "config/config.h"
#include "kernel/own_addresses.h"
#include "lease/addresses.h"
#include "lease/admission.h"
#include "lease/life.h"
#include "lease/role.h"
#include "lease/scripts.h"
#include "session/spool.h"

namespace lease::shared {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr char kGoneDirectory[] = "lease_gone";
constexpr char kLeaseKey[] = "sallyport:lease:";
constexpr char kNextKey[] = "sallyport:lease-next";
constexpr char kMasterKey[] = "sallyport:lease-master";
constexpr std::size_t kLeasesPerRoundTrip = 500;
// How long Redis is not asked after it failed.
constexpr milliseconds kPauseAfterFailure{1000};
// How long ports stay taken for a lease that is never put on record.
constexpr std::chrono::minutes kUnusedPortsKept{1};

std::string number(milliseconds time) { return std::to_string(time.count()); }
std::string lease_key(const std::string& id) { return kLeaseKey + id; }
std::string gone_key(const std::string& id) { return "sallyport:lease-gone:" + id; }
std::string port_key(int port) { return fmt::format("sallyport:lease-port:{}", port); }

std::vector<std::string> port_keys(Port first, int count) {
  std::vector<std::string> keys;
  for (int i = 0; i < count; ++i) keys.push_back(port_key(first + i));
  return keys;
}

std::vector<std::string> keys_of(const Lease& lease) {
  std::vector<std::string> keys{lease_key(lease.id), gone_key(lease.id)};
  for (auto& key : port_keys(lease.ssh_port, lease.ports())) keys.push_back(std::move(key));
  return keys;
}

// The record without the deadline, which is by this host's clock, and the counts, which are of its
// kernel.
std::string text_for_others(Lease lease) {
  lease.deadline = std::chrono::seconds(0);
  lease.packets = 0;
  lease.ending = false;
  return lease.to_record().text();
}

milliseconds rest_of(const Lease& lease) {
  return std::max(std::chrono::seconds(0), lease.deadline - boot_clock::seconds()) +
         std::chrono::duration_cast<milliseconds>(kKeptBeyondEnd);
}

redis::Command keep(const Lease& lease, const std::string& node) {
  return redis::script(scripts::kKeep, keys_of(lease),
                       {lease.id, text_for_others(lease), node, number(rest_of(lease))});
}

redis::Command end(const Lease& lease, const std::string& by) {
  return redis::script(scripts::kEnd, keys_of(lease), {lease.id, by, number(kKeptBeyondEnd)});
}

// Leases whose end Redis is still to be told. A lease that is `ending` ended because somebody asked
// for it.
class Gone {
 public:
  Gone() { session::spool::make_directory(kGoneDirectory); }

  static std::vector<std::string> ids() {
    auto names = session::spool::names_in(kGoneDirectory);
    std::erase_if(names, [](const std::string& name) { return !uuid::is_valid(name); });
    return names;
  }

  static void add(Lease lease, bool asked) {
    lease.ending = asked;
    const Fd file = fd::open(path(lease.id), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
    io::write_all(file.get(), lease.to_record().text());
  }

  static std::optional<Lease> get(const std::string& id) {
    try {
      const Fd file = fd::open(path(id), O_RDONLY | O_NOFOLLOW);
      return Lease::from_record(record::parse_one(io::read_all(file.get(), Record::kMaxBytes, path(id))));
    } catch (const tool::Failure&) {  // its writer died
      return std::nullopt;
    }
  }

  static void remove(const std::string& id) {
    if (::unlink(path(id).c_str()) != 0 && errno != ENOENT) tool::fail_errno(tool::os, "remove " + path(id));
  }

 private:
  static std::string path(const std::string& id) { return fmt::format("{}/{}/{}", paths::kRun, kGoneDirectory, id); }
};

class Shared : public Store, public Peering {
 public:
  Shared(const config::Config& config, std::unique_ptr<local::Spool> local)
      : config_(config), local_(std::move(local)), node_(cluster::node_name()) {}

  // --- functions that need Redis at once ---

  std::optional<Port> take_ports(const std::string& id, const PortRange& range, int count,
                                 const Usable& usable) override {
    const int places = range.high - range.low + 1 - (count - 1);
    if (places <= 0) return std::nullopt;
    begin(kQuickPatience);
    int from = 0;
    for (int i = 0; i < places; ++i) {
      const auto first = take_there(id, range.low, places, count, from);
      if (!first) return std::nullopt;
      const PortRange these{*first, static_cast<Port>(*first + count - 1)};
      if (local_->take_ports(id, these, count, usable)) return first;
      free_ports_in_redis(id, *first, count);
      from = *first + 1;
    }
    return std::nullopt;
  }

  void give_back(const std::string& id, Port first, int count) override {
    local_->give_back(id, first, count);
    free_ports_in_redis(id, first, count);
  }

  void put(const Lease& lease) override {
    if (local_->get(lease.id)) {
      local_->put(lease);
      changed_.insert_or_assign(lease.id, lease);
      if (lease.ending) changed_.erase(lease.id);
      return;
    }
    try {
      if (ask({keep(lease, node_)}).front().integer() != 1)
        throw tool::Failure(tool::temporary, fmt::format("lease {}: another node has its ports", lease.id));
    } catch (...) {
      Gone::add(lease, true);  // nobody knows whether it is there
      throw;
    }
    local_->put(lease);
  }

  // --- functions that use what is known here ---

  std::optional<Lease> get(const std::string& id) override { return local_->get(id); }
  std::vector<Lease> of(const std::string& owner) override { return local_->of(owner); }
  std::size_t count_of(const std::string& owner) override { return local_->count_of(owner); }
  std::vector<Lease> all() override { return local_->all(); }
  std::size_t count() override { return local_->count(); }
  std::vector<Lease> due(std::chrono::seconds now) override { return local_->due(now); }
  void tidy() override { local_->tidy(); }

  void remove(const Lease& lease, End why) override {
    changed_.erase(lease.id);
    Gone::add(lease, why == End::asked);
    local_->remove(lease, why);
  }

  // --- functions for the other nodes ---

  bool serves() const override { return role::serves(role::get()); }
  bool is_whole() const override { return role::get() == Role::informed; }

  // Redis may have begun anew, without any data; or another node was master meanwhile.
  bool is_behind() override {
    constexpr char kReadMaster[] = "local who = redis.pcall('GET', KEYS[1]) return type(who) == 'string' and who or ''";
    if (!serves()) return false;
    if (!is_whole()) return true;
    try {
      begin(kQuickPatience);
      if (ask({redis::script(kReadMaster, {kMasterKey}, {})}).front().text() == node_) return false;
      role::set(Role::master);
      return true;
    } catch (const tool::Failure&) {
      return false;
    }
  }

  void fetch() override {
    const auto* const self = config_.cluster.node(node_);
    if (!self || !serves()) return;
    for (const auto& server : config_.cluster.redis) {
      if (server.ip != self->address) continue;
      config::Cluster near = config_.cluster;
      near.sentinels.clear();
      near.redis = {server};
      try {
        redis::Client client(near, kQuickPatience, redis::Ask::anyone);
        client.ask({"PING"});
        client.grant(kLongPatience);
        pull(client, nullptr);
        return;
      } catch (const tool::Failure& failure) {
        logging::debug1("{}", logging::escape(failure.what()));
      }
    }
  }

  void exchange() override {
    if (!serves()) return;
    tell_changes();
    try {
      begin(kQuickPatience);
      ask({{"PING"}});  // before there is much to send
      begin(kLongPatience);
      std::vector<std::string> refused;
      const auto known = pull(*client_, &refused);
      if (!refused.empty()) {
        refused.insert(refused.begin(), "DEL");
        ask({refused});
      }
      push(known);
      ask({{"SET", kMasterKey, node_}});
      role::set(Role::informed);
    } catch (const tool::Failure& failure) {
      be_away(failure);
    }
  }

  void tell_changes() override {
    auto changed = std::exchange(changed_, {});
    std::vector<Lease> renewed;
    for (auto& [id, lease] : changed) renewed.push_back(std::move(lease));
    const auto gone = Gone::ids();
    if (renewed.empty() && gone.empty()) return;
    try {
      begin(kQuickPatience);
      tell(renewed);
      tell_gone(gone);
    } catch (const tool::Failure&) {  // reported already; ended leases are told later, and the others each time
    }
  }

  void forget() override {
    changed_.clear();
    for (const auto& lease : local_->all()) local_->remove(lease, End::over);
    local_->tidy();
    if (is_whole()) role::set(Role::master);
  }

 private:
  // From here on Redis may take that long, in all. Failure{75} while it is away.
  void begin(milliseconds patience) {
    if (Clock::now() < rests_until_) throw tool::Failure(tool::temporary, "Redis is away");
    try {
      if (!client_) client_.emplace(config_.cluster, patience);
    } catch (const tool::Failure& failure) {
      be_away(failure);
      throw tool::Failure(tool::temporary, failure.what());
    }
    client_->grant(patience);
  }

  std::vector<redis::Reply> ask(const std::vector<redis::Command>& commands) {
    if (Clock::now() < rests_until_) throw tool::Failure(tool::temporary, "Redis is away");
    if (!client_) begin(kQuickPatience);
    try {
      auto replies = client_->ask_all(commands);
      if (std::exchange(away_, false)) logging::event("Redis answers again: leases are shared");
      return replies;
    } catch (const tool::Failure& failure) {
      be_away(failure);
      throw;
    }
  }

  void be_away(const tool::Failure& failure) {
    if (Clock::now() < rests_until_) return;
    rests_until_ = Clock::now() + kPauseAfterFailure;
    if (!std::exchange(away_, true))
      logging::error("Leases are not shared for now: {}", logging::escape(failure.what()));
  }

  std::optional<Port> take_there(const std::string& id, Port low, int places, int count, int from) {
    const auto said = ask({redis::script(scripts::kTake, {kNextKey},
                                         {id, std::to_string(low), std::to_string(places), std::to_string(count),
                                          std::to_string(from), number(kUnusedPortsKept)})});
    const long long first = said.front().integer();
    if (first < 0) return std::nullopt;
    if (first < low || first >= low + places)
      throw tool::Failure(tool::temporary, "ask Redis for a port: it gave one outside of the range");
    return static_cast<Port>(first);
  }

  // A failure is ignored: the ports are free in a minute, anyway.
  void free_ports_in_redis(const std::string& id, Port first, int count) {
    try {
      ask({redis::script(scripts::kGiveBack, port_keys(first, count), {id})});
    } catch (const tool::Failure&) {
    }
  }

  // Everything that Redis has, by id; leases that were not known here are put on record. Leases that cannot be
  // ours are `refused`, by key.
  std::set<std::string> pull(redis::Client& client, std::vector<std::string>* refused) {
    std::set<std::string> known;
    std::string cursor = "0";
    do {
      const auto page = client.ask({"SCAN", cursor, "MATCH", std::string(kLeaseKey) + "*", "COUNT", "5000"});
      if (page.array().size() != 2)
        throw tool::Failure(tool::temporary, "ask Redis for all leases: its answer is something else");
      cursor = page.array()[0].text();
      for (const auto& key : page.array()[1].array()) {
        const std::string id = key.text().substr(std::min(key.text().size(), sizeof kLeaseKey - 1));
        if (uuid::is_valid(id)) known.insert(id);
        else if (refused) refused->push_back(key.text());
      }
    } while (cursor != "0");
    auto fresh = known;
    for (const auto& lease : local_->all()) fresh.erase(lease.id);
    for (const auto& id : Gone::ids()) fresh.erase(id);
    take_in(client, {fresh.begin(), fresh.end()}, refused);
    return known;
  }

  void take_in(redis::Client& client, const std::vector<std::string>& ids, std::vector<std::string>* refused) {
    if (ids.empty()) return;
    const auto config = config::load(paths::kConfig, config::Author::root);
    const config::destination::Surroundings here{own_addresses::read(), own_addresses::connected()};
    std::size_t count = 0;
    for (std::size_t at = 0; at < ids.size(); at += kLeasesPerRoundTrip) {
      std::vector<std::string> keys;
      for (std::size_t i = at; i < std::min(at + kLeasesPerRoundTrip, ids.size()); ++i)
        keys.push_back(lease_key(ids[i]));
      const auto found = client.run(scripts::kRead, keys, {std::to_string(Record::kMaxBytes)});
      if (found.array().size() != keys.size())
        throw tool::Failure(tool::temporary, "ask Redis for leases: its answer is something else");
      for (std::size_t i = 0; i < keys.size(); ++i) {
        const auto why = adopt(config, here, ids[at + i], found.array()[i].text());
        if (why.empty()) ++count;
        else logging::error("Redis: {}: not put in force: {}", keys[i], logging::escape(why));
        if (!why.empty() && refused) refused->push_back(keys[i]);
      }
    }
    if (count > 0) logging::event("Took over {} leases", count);
  }

  // The reason why not; empty when it is on record here.
  std::string adopt(const config::Config& config, const config::destination::Surroundings& here, const std::string& id,
                    const std::string& text) {
    try {
      Lease lease = Lease::from_record(record::parse_one(text));
      if (lease.id != id || lease.ending) return "it is of another lease";
      if (auto complaint = admission::complaint(lease, config, here); !complaint.empty()) return complaint;
      lease.deadline = life::deadline_of(lease, boot_clock::seconds());
      lease.packets = 0;
      return local_->adopt(lease) ? "" : "another lease has its ports";
    } catch (const tool::Failure& failure) {
      if (failure.code() != tool::bad_input) throw;
      return failure.what();
    }
  }

  void push(const std::set<std::string>& known) {
    auto leases = local_->all();
    const auto now = boot_clock::seconds();
    std::erase_if(leases,
                  [&](const Lease& lease) { return lease.ending || lease.is_over(now) || known.contains(lease.id); });
    tell(leases);
    if (!leases.empty()) logging::event("Redis did not know {} leases: told it", leases.size());
  }

  // Ends leases that were ended elsewhere, or whose ports somebody else has there.
  void tell(const std::vector<Lease>& leases) {
    for (std::size_t at = 0; at < leases.size(); at += kLeasesPerRoundTrip) {
      const std::size_t to = std::min(at + kLeasesPerRoundTrip, leases.size());
      std::vector<redis::Command> commands;
      for (std::size_t i = at; i < to; ++i) commands.push_back(keep(leases[i], node_));
      const auto replies = ask(commands);
      for (std::size_t i = at; i < to; ++i) {
        if (replies[i - at].integer() == 1) continue;
        logging::event("Another node ended lease={}, or has its ports", leases[i].id);
        Lease lease = leases[i];
        lease.ending = true;
        local_->put(lease);
      }
    }
  }

  void tell_gone(const std::vector<std::string>& ids) {
    for (std::size_t at = 0; at < ids.size(); at += kLeasesPerRoundTrip) {
      const std::vector<std::string> these(
          ids.begin() + static_cast<std::ptrdiff_t>(at),
          ids.begin() + static_cast<std::ptrdiff_t>(std::min(at + kLeasesPerRoundTrip, ids.size())));
      std::vector<redis::Command> commands;
      for (const auto& id : these) {
        if (const auto lease = Gone::get(id)) commands.push_back(end(*lease, lease->ending ? "" : node_));
      }
      if (!commands.empty()) ask(commands);
      for (const auto& id : these) Gone::remove(id);
    }
  }

  config::Config config_;
  std::unique_ptr<local::Spool> local_;
  Gone gone_;
  std::string node_;
  std::optional<redis::Client> client_;
  std::map<std::string, Lease> changed_;  // known here; Redis is still to be told
  Clock::time_point rests_until_{};
  bool away_ = false;
};

}  // namespace

Registry open(const config::Config& config, std::unique_ptr<local::Spool> local) {
  auto both = std::make_unique<Shared>(config, std::move(local));
  Peering* const peering = both.get();
  return {std::move(both), peering, addresses::ways_of(config.cluster)};
}

}  // namespace lease::shared
