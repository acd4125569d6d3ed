#include "kernel.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include <fmt/core.h>

#include "base/child.h"
#include "base/cut.h"
#include "base/env.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/logging.h"

namespace asperaproxy {
namespace {

constexpr char kForward4[] = "/proc/sys/net/ipv4/ip_forward";
constexpr char kForward6[] = "/proc/sys/net/ipv6/conf/all/forwarding";
constexpr char kCountFlows[] = "/proc/sys/net/netfilter/nf_conntrack_acct";
constexpr char kTrackNoWindows[] = "/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal";
constexpr int kSeconds = 10;

bool is_there(const char* path) { return ::access(path, F_OK) == 0; }

std::string read(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  constexpr std::size_t kMaxBytes = 4 * 1024 * 1024;
  return file ? io::read_all(file.get(), kMaxBytes, path) : "";
}

// Does not write a value that is set already: the file may be read-only in a container.
void turn_on(const char* path) {
  if (read(path) == "1\n") return;
  const Fd file = fd::open(path, O_WRONLY);
  if (::write(file.get(), "1\n", 2) != 2) tool::fail_errno(tool::os, std::string("write ") + path);
}

bool keeps_advertised(const std::string& interface) {
  return read(fmt::format("/proc/sys/net/ipv6/conf/{}/accept_ra", interface)) == "2\n";
}

void forward_6(std::vector<std::string>& left) {
  if (!is_there(kForward6) || read(kForward6) == "1\n") return;
  auto interfaces = advertised_on(read("/proc/net/ipv6_route"));
  std::erase_if(interfaces, keeps_advertised);
  if (interfaces.empty()) return turn_on(kForward6);
  left.push_back(fmt::format(
      "IPv6 is not forwarded: {0} would lose its route; set net.ipv6.conf.{0}.accept_ra=2 first, if IPv6 is needed",
      interfaces[0]));
}

void load_conntrack() {
  if (!is_there(kCountFlows))
    child::run({{"/usr/sbin/modprobe", "nf_conntrack"}, env::allow({}), {}}, "", 65536, kSeconds);
}

}  // namespace

// include/uapi/linux/ipv6_route.h
std::vector<std::string> advertised_on(const std::string& routes) {
  constexpr unsigned long kDefaultByAdvertisement = 0x00010000 | 0x00040000;  // RTF_DEFAULT, RTF_ADDRCONF
  std::vector<std::string> interfaces;
  for (const auto line : cut::lines(routes)) {
    const auto words = cut::words(line);
    const std::vector<std::string> fields(words.begin(), words.end());
    if (fields.size() != 10 || fields[1] != "00") continue;
    const bool by_router =
        (std::strtoul(fields[8].c_str(), nullptr, 16) & kDefaultByAdvertisement) == kDefaultByAdvertisement;
    if (by_router && std::find(interfaces.begin(), interfaces.end(), fields[9]) == interfaces.end())
      interfaces.push_back(fields[9]);
  }
  return interfaces;
}

bool has_ipv6() { return is_there("/proc/sys/net/ipv6"); }

bool forwards(int family) { return read(family == AF_INET ? kForward4 : kForward6) == "1\n"; }

void stop_forwarding(int family) {
  if (!forwards(family)) return;
  const std::string path = family == AF_INET ? kForward4 : kForward6;
  const Fd file = fd::open(path, O_WRONLY);
  if (::write(file.get(), "0\n", 2) != 2) tool::fail_errno(tool::os, "write " + path);
}

std::vector<std::string> set_kernel() {
  std::vector<std::string> left;
  turn_on(kForward4);
  forward_6(left);
  try {
    load_conntrack();
    turn_on(kCountFlows);
  } catch (const tool::Failure& failure) {
    left.push_back(fmt::format("bytes are not counted: {}", failure.what()));
  }
  return left;
}

void track_no_windows() {
  try {
    load_conntrack();
    turn_on(kTrackNoWindows);
  } catch (const tool::Failure& failure) {
    logging::error("TCP of leases may break off when the addresses move: {}", failure.what());
  }
}

}  // namespace asperaproxy
