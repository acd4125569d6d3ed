#include "setup_outsider.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <thread>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/cut.h"
#include "base/deadline.h"
#include "base/env.h"
#include "base/failure.h"
#include "base/logging.h"
#include "base/paths.h"
#include "base/whole_file.h"
#include "doctor.h"
#include "kernel/own_addresses.h"
#include "session/spool.h"
#include "setup_journal.h"
#include "setup_step.h"
#include "who/authorized_keys.h"

namespace asperaproxy::setup {
namespace {

constexpr char kIp[] = "/usr/bin/ip";
constexpr char kLink[] = "sallyport-try";
constexpr char kPeer[] = "sallyport-out";

// For tests of networks alone: RFC 2544, RFC 5180.
struct Pair {
  const char* host;
  const char* client;
  const char* bits;
};
constexpr Pair kPairs4[] = {{"198.18.255.249", "198.18.255.250", "/30"}, {"198.19.255.249", "198.19.255.250", "/30"}};
constexpr Pair kPairs6[] = {{"2001:2:0:ffff::1", "2001:2:0:ffff::2", "/64"}};

Pair free_pair(bool v4) {
  const auto networks = own_addresses::connected();
  for (const auto& pair : v4 ? std::vector<Pair>(std::begin(kPairs4), std::end(kPairs4))
                             : std::vector<Pair>(std::begin(kPairs6), std::end(kPairs6))) {
    const auto client = *IpAddress::parse(pair.client);
    if (std::none_of(networks.begin(), networks.end(), [&](const Network& one) { return one.contains(client); }))
      return pair;
  }
  throw tool::Failure(tool::os, "make a network to try from: this host itself uses the networks that are for tests");
}

void require(const std::vector<std::string>& argv) {
  const auto answer = doctor::ask(argv);
  if (!answer.well())
    throw tool::Failure(tool::os, fmt::format("{}: {}", fmt::join(argv, " "), answer.first_complaint()));
}

std::string network_of(const std::string& process) {
  std::error_code none;
  return std::filesystem::read_symlink(fmt::format("/proc/{}/ns/net", process), none);
}

// True while a TCP connection in the network namespace of `process` is not closed at both ends (proc_net(5): tcp).
bool has_connections(pid_t process) {
  constexpr std::string_view kTimeWait = "06";
  for (const char* table : {"tcp", "tcp6"}) {
    const std::string text = doctor::read_file(fmt::format("/proc/{}/net/{}", process, table));
    const auto lines = cut::lines(text);
    for (std::size_t i = 1; i < lines.size(); ++i) {
      const auto fields = cut::words(lines[i]);
      if (fields.size() > 3 && fields[3] != kTimeWait) return true;
    }
  }
  return false;
}

child::Child namespace_holder() {
  auto holder = child::spawn({{"/usr/bin/unshare", "--net", "--", "/usr/bin/sleep", "600"}, env::allow({}), {}});
  const auto deadline = Deadline::in(std::chrono::seconds(5));
  const std::string ours = network_of("self");
  for (;;) {
    const std::string theirs = network_of(std::to_string(holder.pid()));
    if (!theirs.empty() && theirs != ours) return holder;
    if (deadline.over()) throw tool::Failure(tool::os, "make a network namespace: not within 5 s");
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

}  // namespace

Outsider::Outsider(const IpAddress& proxy) : holder_(namespace_holder()) {
  const Pair pair = free_pair(proxy.is_v4());
  address_ = *IpAddress::parse(pair.client);
  doctor::ask({kIp, "link", "delete", kLink});  // that a killed setup left
  require({kIp, "link", "add", kLink, "type", "veth", "peer", "name", kPeer, "netns", std::to_string(holder_.pid())});
  std::vector<std::string> ours{kIp, "address", "add", std::string(pair.host) + pair.bits, "dev", kLink};
  std::vector<std::string> theirs{kIp, "address", "add", std::string(pair.client) + pair.bits, "dev", kPeer};
  if (!proxy.is_v4()) {
    for (auto* argv : {&ours, &theirs}) argv->emplace_back("nodad");
  }
  require(ours);
  require({kIp, "link", "set", kLink, "up"});
  within({kIp, "link", "set", "lo", "up"});
  within(theirs);
  within({kIp, "link", "set", kPeer, "up"});
  within({kIp, proxy.is_v4() ? "-4" : "-6", "route", "add", "default", "via", pair.host, "dev", kPeer});
}

// sshd's end of a connection that is cut off would wait two minutes for its last answer, and keep the host's network
// from ending meanwhile.
Outsider::~Outsider() {
  try {
    const auto deadline = Deadline::in(std::chrono::seconds(2));
    while (!deadline.over() && has_connections(holder_.pid()))
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
  } catch (const std::exception& failure) {
    logging::debug1("{}", logging::escape(failure.what()));
  }
  doctor::ask({kIp, "link", "delete", kLink});
}

child::Output Outsider::run(std::vector<std::string> argv, int seconds) const {
  argv.insert(argv.begin(), {"/usr/bin/nsenter", fmt::format("--net=/proc/{}/ns/net", holder_.pid()), "--"});
  return child::run({argv, env::allow({}), {}}, "", kMostOutput, seconds);
}

void Outsider::within(std::vector<std::string> argv) const {
  const auto done = run(argv, 20);
  if (done.status != 0)
    throw tool::Failure(tool::os, fmt::format("{}: {}", fmt::join(argv, " "), done.err.substr(0, done.err.find('\n'))));
}

namespace {

constexpr char kHost[] = "sallyport-setup";

// As sshd_config(5) has its times.
std::string in_ten_minutes() {
  const std::time_t then = std::time(nullptr) + 600;
  std::tm local{};
  ::localtime_r(&then, &local);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%d%H%M%S", &local);
  return text;
}

// This host's own keys, for a client that knows no other.
std::string known_hosts() {
  std::string text;
  for (const auto& entry : std::filesystem::directory_iterator("/etc/ssh")) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("ssh_host_") || !name.ends_with("_key.pub")) continue;
    const std::string key = text_of(entry.path()).value_or("");
    const auto words = cut::words(key);
    if (words.size() > 1) text += fmt::format("{} {} {}\n", kHost, words[0], words[1]);
  }
  return text;
}

constexpr char kSshConfig[] = "Host *\n"
                              "  HostKeyAlias {}\n"
                              "  UserKnownHostsFile {}/known_hosts\n"
                              "  GlobalKnownHostsFile /dev/null\n"
                              "  StrictHostKeyChecking yes\n"
                              "  IdentitiesOnly yes\n"
                              "  BatchMode yes\n"
                              "  ConnectTimeout 10\n";

}  // namespace

Guest::Guest(const std::string& user, const IpAddress& from)
    : user_(user), folder_(fmt::format("{}/setup-guest", paths::kRun)) {
  session::spool::prepare();
  std::filesystem::remove_all(folder_);
  if (::mkdir(folder_.c_str(), 0700) != 0) tool::fail_errno(tool::os, "make " + folder_);
  require({"/usr/bin/ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", kHost, "-f", folder_ + "/key"});
  const std::string key = text_of(folder_ + "/key.pub").value_or("");
  whole_file::write(folder_ + "/known_hosts", known_hosts());
  whole_file::write(folder_ + "/ssh_config", fmt::format(kSshConfig, kHost, folder_));
  line_ = fmt::format("from=\"{}\",restrict,expiry-time=\"{}\" {}", from.text(), in_ten_minutes(), key);
  std::string keys = authorized_keys::read(user).value_or("");
  if (!keys.empty() && keys.back() != '\n') keys += '\n';
  authorized_keys::write(user, keys + line_);
}

Guest::~Guest() {
  try {
    std::string keys = authorized_keys::read(user_).value_or("");
    if (const auto at = keys.find(line_); at != keys.npos) {
      keys.erase(at, line_.size());
      authorized_keys::write(user_, keys);
    }
    std::filesystem::remove_all(folder_);
  } catch (const std::exception& failure) {
    logging::error("{}", logging::escape(failure.what()));
  }
}

}  // namespace asperaproxy::setup
