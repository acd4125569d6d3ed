// Checks of the cluster, as far as one node can tell. There is none where aspera.conf has no cluster:
// a single host asks none of these programs.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>

#include <fmt/core.h>

#include "base/await.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/paths.h"
#include "cluster.h"
#include "cluster/redis.h"
#include "doctor.h"
#include "judge.h"

namespace doctor {
namespace {

constexpr char kWriteCure[] = "asperaproxy cluster-config  # put the files where it says, and restart those programs";

Verdicts cluster_node(const Patient& patient) {
  if (!patient.cluster) return {};
  const auto& self = cluster::require_node(*patient.cluster, "");
  if (!cluster::has(self.address)) {
    return {fail(fmt::format("{} of this node, {}, is on none of its interfaces", self.address.text(), self.name),
                 fmt::format("ip address add {} dev {}", self.address.text(), patient.cluster->sync_interface))};
  }
  return {ok(fmt::format("{}, one of {}", self.name, patient.cluster->nodes.size()))};
}

Verdicts written(const Patient& patient) {
  if (!patient.cluster) return {};
  Verdicts found;
  for (const auto& file : cluster::files(*patient.cluster, cluster::require_node(*patient.cluster, ""))) {
    // Redis and Sentinel rewrite their own files.
    if (!file.group.empty()) continue;
    if (::access(file.place.c_str(), F_OK) != 0)
      found.push_back(fail(fmt::format("{} is missing", file.place), kWriteCure));
    else if (read_file(file.place) != file.text)
      found.push_back(warn(fmt::format("{} is not what aspera.conf asks for", file.place), kWriteCure));
  }
  if (found.empty()) found.push_back(ok("keepalived and conntrackd read what aspera.conf says"));
  return found;
}

bool keepalived_runs() {
  const std::string pid = read_file("/run/keepalived.pid");
  return !pid.empty() &&
         read_file(fmt::format("/proc/{}/comm", std::strtol(pid.c_str(), nullptr, 10))) == "keepalived\n";
}

Verdicts keepalived(const Patient& patient) {
  if (!patient.cluster) return {};
  if (!keepalived_runs())
    return {fail("keepalived does not run, so this node never becomes master",
                 "systemctl enable --now keepalived  # journalctl -u keepalived says why it ended")};
  const auto held = cluster::held(*patient.cluster);
  if (held.missing.empty()) return {ok("this node is master")};
  if (held.here.empty()) return {ok("this node is standby")};
  return {fail(fmt::format("this node has {}, but not {}", held.here.front().text(), held.missing.front().text()),
               "systemctl restart keepalived")};
}

Verdicts conntrackd(const Patient& patient) {
  if (!patient.cluster) return {};
  if (ask({"/usr/sbin/conntrackd", "-s"}).well()) return {ok("answers")};
  return {fail("conntrackd does not answer, so leases are cut when the other node dies",
               "systemctl enable --now conntrackd  # journalctl -u conntrackd says why it ended")};
}

// Redis and Sentinels that answer whoever asks. One that wants a password, or is away, is not meant.
Verdicts passwords(const Patient& patient) {
  if (!patient.cluster || patient.cluster->redis.empty()) return {};
  constexpr std::chrono::milliseconds kPatience{2000};
  constexpr char kMake[] =
      "(umask 077; openssl rand -hex 32 > /etc/redis/sallyport.password)  # the same on each node, and ";
  if (patient.cluster->redis_password_file.empty()) {
    return {fail("<redis> without <redis_password_file>: whoever reaches the sync network can read and write leases",
                 std::string(kMake) +
                     "<redis_password_file>/etc/redis/sallyport.password</redis_password_file>; then " + kWriteCure)};
  }
  Verdicts found;
  auto ends = patient.cluster->redis;
  ends.insert(ends.end(), patient.cluster->sentinels.begin(), patient.cluster->sentinels.end());
  for (const auto& end : ends) {
    config::Cluster one = *patient.cluster;
    one.redis = {end};
    one.sentinels.clear();
    one.redis_password_file.clear();
    try {
      redis::Client(one, kPatience, redis::Ask::anyone).ask({"PING"});
      found.push_back(fail(fmt::format("{} answers without a password", end.text()), kWriteCure));
    } catch (const tool::Failure&) {
    }
  }
  if (found.empty()) found.push_back(ok("neither Redis nor a Sentinel answers without a password"));
  return found;
}

// Redis' ROLE (redis.io/commands/role) lists the replicas of the master.
Verdicts shared_state(const Patient& patient) {
  if (!patient.cluster || patient.cluster->redis.empty()) return {};
  constexpr std::chrono::milliseconds kRedisPatience{2000};
  try {
    const auto role = redis::Client(*patient.cluster, kRedisPatience).ask({"ROLE"});
    const std::size_t followers = role.array().size() > 2 ? role.array()[2].array().size() : 0;
    if (followers == 0 && patient.cluster->redis.size() > 1) {
      return {warn("the master answers, but no other server follows it: its data would be lost with it",
                   "systemctl enable --now redis-server  # on the other nodes; its log says why it ended")};
    }
    return {ok(
        fmt::format("the master answers, {} {}", followers, followers == 1 ? "other follows it" : "others follow it"))};
  } catch (const tool::Failure& failure) {
    return {fail(fmt::format("this node shares nothing with the others: {}", failure.what()),
                 "systemctl enable --now redis-server redis-sentinel  # on each node; their logs say why they ended")};
  }
}

// True also if the connection is refused, since that is an answer.
bool reachable(const Endpoint& end) {
  constexpr std::chrono::seconds kPatience{1};
  sockaddr_storage there{};
  const socklen_t length = end.to_sockaddr(there);
  const Fd socket(::socket(end.ip.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) tool::fail_errno(tool::os, "socket");
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&there), length) == 0) return true;
  if (errno != EINPROGRESS) return errno == ECONNREFUSED;
  if (!await::writable(socket.get(), Deadline::in(kPatience))) return false;
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error == 0 || error == ECONNREFUSED;
}

Verdicts peers(const Patient& patient) {
  if (!patient.cluster) return {};
  const auto& self = cluster::require_node(*patient.cluster, "");
  const Port port = *ssh_ports(patient.sshd_settings).begin();  // all nodes are configured alike
  Verdicts found;
  for (const auto& peer : patient.cluster->nodes) {
    if (peer.name == self.name) continue;
    if (reachable({peer.address, port})) found.push_back(ok(fmt::format("{} answers", peer.name)));
    else
      found.push_back(warn(fmt::format("{} does not answer on {}", peer.name, peer.address.text()),
                           fmt::format("ping -c 3 {}  # is it up, and the cable of {} plugged in?", peer.address.text(),
                                       patient.cluster->sync_interface)));
  }
  return found;
}

// A node cannot see another's aspera.conf, but a person can compare the sums.
Verdicts sameness(const Patient& patient) {
  if (!patient.cluster) return {};
  constexpr std::size_t kShownDigits = 12;
  const auto sum = ask({"/usr/bin/sha256sum", paths::kConfig});
  return {ok(fmt::format("aspera.conf is {}, and must be the same on each node", sum.out.substr(0, kShownDigits)))};
}

}  // namespace

const std::vector<Condition>& cluster_conditions() {
  static const std::vector<Condition> all{{"cluster_node", cluster_node}, {"cluster_files", written},
                                          {"keepalived", keepalived},     {"conntrackd", conntrackd},
                                          {"cluster_peers", peers},       {"cluster_config", sameness},
                                          {"redis", shared_state},        {"redis_password", passwords}};
  return all;
}

}  // namespace doctor
