#include "job.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "base/decimal.h"
#include "base/failure.h"
#include "base/logging.h"
#include "base/record.h"
#include "base/uuid.h"
#include "config/destination_policy.h"
#include "config/value.h"
#include "lease/addresses.h"
#include "session/spool.h"

namespace {

[[noreturn]] void malformed(const std::string& why) { throw Refusal{"bad_request", why}; }

constexpr std::size_t kMaxTag = 64;
constexpr std::chrono::seconds kPatience{5};  // for a name server; the same as in asperanoded

struct Verb {
  const char* name;
  Job::Kind kind;
  bool names_lease;
  bool is_of_user;
};
constexpr Verb kVerbs[] = {
    {"open", Job::Kind::open, false, true},    {"renew", Job::Kind::renew, true, true},
    {"close", Job::Kind::close, true, true},   {"show", Job::Kind::show, true, true},
    {"list", Job::Kind::list, false, true},    {"sweep", Job::Kind::sweep, false, false},
    {"count", Job::Kind::count, false, false},
};

const Verb& verb_of(const Record& asked) {
  const std::string name = asked.require("request");
  for (const auto& verb : kVerbs) {
    if (name == verb.name) return verb;
  }
  malformed("no such request");
}

void check_names(const Record& asked, const Verb& verb) {
  if (verb.kind == Job::Kind::open)
    asked.check_names({"request", "tag", "user", "destination", "address", "ssh_port", "udp_ports"});
  else if (verb.names_lease) asked.check_names({"request", "tag", "user", "lease", "client"});
  else if (verb.is_of_user) asked.check_names({"request", "tag", "user"});
  else asked.check_names({"request", "tag"});
}

template <typename T>
T parsed(const Record& asked, const char* name, std::optional<T> (*parse)(std::string_view)) {
  const auto value = parse(asked.require(name));
  if (!value) malformed(fmt::format("{} is not valid", name));
  return *value;
}

// asperanoded checked the password. Whether the user exists, and what they may do, is looked up here.
void identify(Job& job, const Record& asked, const Settings& settings, const std::optional<Connection>& connection) {
  const auto name = asked.get("user");
  if (!settings.config().proxy.authentication) {
    if (name) malformed("authentication is off: there are no users");
    if (!connection) malformed("no connection came with the request");
    job.owner = "client=" + connection->client.text();
    return;
  }
  if (!name) malformed("user is missing");
  const config::NodeUser* user = settings.user(*name);
  if (!user) throw Refusal{"forbidden", "There is no such user of the node service."};
  job.owner = "user=" + user->name;
  job.admin = user->is_admin();
  job.lease.user = user->name;
}

struct Terms {
  std::chrono::seconds renew;
  std::chrono::seconds lifetime;
};
Terms terms_of(const config::Proxy& proxy) {
  using std::chrono::seconds;
  const auto [low, high] = std::minmax(proxy.keepalive_interval, proxy.session_timeout);
  if (low.count() > 0) return {low, high};
  if (high.count() > 0) return {std::max(seconds(1), high / 3), high};
  return {seconds(0), seconds(0)};
}

// Sets the destination: the name as config/destination.h writes it, or the address.
void aim(lease::Lease& lease, const Record& asked) {
  const auto target = config::destination::Target::parse(asked.require("destination"));
  if (!target) malformed("destination is neither a name nor an address");
  lease.address = parsed(asked, "address", IpAddress::parse);
  if (target->address && target->address != lease.address) malformed("address is not the destination's");
  lease.destination = target->address ? target->address->text() : target->name;
  lease.destination_ssh_port = parsed(asked, "ssh_port", parse_port);
  lease.destination_udp_ports = parsed(asked, "udp_ports", PortRange::parse);
  if (lease.destination_udp_ports.high - lease.destination_udp_ports.low >= lease::kMaxUdpPorts) {
    throw Refusal{"bad_request", fmt::format("A lease has at most {} UDP ports.", lease::kMaxUdpPorts)};
  }
}

using config::destination::Surroundings;

config::destination::Judgement judge(const lease::Lease& lease, const config::Config& config,
                                     const Surroundings& here) {
  const std::string name = IpAddress::parse(lease.destination) ? "" : lease.destination;
  return config::destination::judge({config, here},
                                    {name, lease.address, lease.destination_ssh_port, lease.destination_udp_ports});
}

// The address that clients use. In a cluster, the master has it.
IpAddress host_for(const Connection& connection, const config::Cluster& cluster) {
  if (!cluster.shares_leases()) return connection.proxy;
  const auto host = lease::addresses::host_of(cluster, connection.client.is_v4());
  if (!host)
    throw Refusal{"forbidden", fmt::format("The proxies share no {} address inside.", connection.client.family_name())};
  return *host;
}

void prepare_open(Job& job, const Record& asked, const config::Config& config, const Connection& connection,
                  const Surroundings& here) {
  const config::Proxy& proxy = config.proxy;
  lease::Lease& lease = job.lease;
  lease.client = connection.client;
  lease.proxy = host_for(connection, config.cluster);
  aim(lease, asked);
  if (lease.address.is_v4() != lease.client.is_v4()) {
    malformed(fmt::format("client and address are not both {}", lease.client.family_name()));
  }
  const auto judgement = judge(lease, config, here);
  if (judgement.verdict == config::destination::Verdict::refused) {
    logging::event("Refused a lease to {}: {}", job.owner, logging::escape(judgement.detail));
    throw Refusal{"destination_denied", judgement.reason};
  }
  const Terms terms = terms_of(proxy);
  lease.renew_seconds = terms.renew;
  lease.lifetime = terms.lifetime;
  lease.id = uuid::random();
  if (judgement.verdict == config::destination::Verdict::permitted_by_name) {
    job.lookup.emplace(lease.destination, lease.address.family(), kPatience);
    job.state = Job::State::waiting;
  }
}

void prepare(Job& job, const channel::Packet& packet, Settings& settings, const Surroundings& here) {
  if (!packet.whole) malformed("a request is one record of 8 KiB, with one connection");
  const Record asked = record::parse_one(packet.bytes);
  job.tag = asked.get("tag").value_or("");
  if (job.tag.size() > kMaxTag) malformed("tag is too long");
  const Verb& verb = verb_of(asked);
  job.kind = verb.kind;
  check_names(asked, verb);
  settings.refresh();
  if (!verb.is_of_user) return;
  const auto& config = settings.config();
  const bool opens = verb.kind == Job::Kind::open;
  if (opens && !config.proxy.enabled) throw Refusal{"stopped", "The forward proxy is not enabled."};
  // Without rules the kernel tracks no connections, so this is asked before it.
  if (opens && session::spool::stopped()) throw Refusal{"stopped", "The proxy is stopped."};
  std::optional<Connection> connection;
  if (opens || !config.proxy.authentication) connection = Connection::verify(packet.descriptor, config, here.own);
  identify(job, asked, settings, connection);
  if (verb.names_lease) job.lease.id = asked.require("lease");
  if (opens) prepare_open(job, asked, config, *connection, here);
}

}  // namespace

void Job::answer(Record record) {
  if (!tag.empty()) record.add("tag", tag);
  answers.push_back(std::move(record));
  state = State::answered;
}

void Job::answer(const lease::Lease& whole) {
  Record record;
  record.add("answer", "lease");
  const Record fields = whole.to_record();
  for (const auto& [name, value] : fields.fields()) record.add(name, value);
  answer(std::move(record));
}

void Job::refuse(const Refusal& refusal) {
  answers.clear();
  Record record;
  record.add("answer", "refused");
  record.add("code", refusal.code);
  record.add("reason", logging::escape(refusal.reason));
  answer(std::move(record));
}

void Job::take_answer() {
  if (state != State::waiting) return;
  const auto addresses = lookup->look();
  if (!addresses) return;
  lookup.reset();
  if (std::find(addresses->begin(), addresses->end(), lease.address) != addresses->end()) state = State::ready;
  else refuse({"destination_denied", fmt::format("{} does not have that address.", lease.destination)});
}

namespace job {

Job make(const channel::Packet& packet, Settings& settings, const Surroundings& here) {
  Job job;
  try {
    prepare(job, packet, settings, here);
  } catch (const Refusal& refusal) {
    logging::debug1("Refused to {}: {} ({})", job.owner.empty() ? "?" : job.owner, refusal.code,
                    logging::escape(refusal.reason));
    job.refuse(refusal);
  } catch (const tool::Failure& failure) {
    const bool is_bad_input = failure.code() == tool::bad_input;
    if (!is_bad_input) logging::error("{}", logging::escape(failure.what()));
    job.refuse(is_bad_input ? Refusal{"bad_request", failure.what()}
                            : Refusal{"internal", "The proxy cannot do that now; its log says why."});
  }
  return job;
}

}  // namespace job
