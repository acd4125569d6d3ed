// Checks of the forward proxy: its account, its users, its ports, its certificate. There is none where
// aspera.conf has it off.
#include <gnutls/x509.h>
#include <ifaddrs.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <memory>
#include <set>

#include <fmt/core.h>

#include "base/accounts.h"
#include "base/await.h"
#include "base/failure.h"
#include "base/paths.h"
#include "base/root_only.h"
#include "base/status.h"
#include "base/unix_socket.h"
#include "config/destination_policy.h"
#include "config/node_users.h"
#include "doctor.h"
#include "judge.h"
#include "kernel/routes.h"
#include "session/trial.h"
#include "sockets.h"
#include "tried_as.h"

namespace doctor {
namespace {

constexpr char kOwnCertificate[] = SALLYPORT_PREFIX "/etc/aspera_server_cert.pem";
constexpr char kOwnKey[] = SALLYPORT_PREFIX "/etc/aspera_server_key.pem";

bool off(const Patient& patient) { return !patient.proxy || !patient.proxy->enabled; }

std::vector<std::string> texts(const std::set<Port>& ports) {
  std::vector<std::string> all;
  for (const Port port : ports) all.push_back(std::to_string(port));
  return all;
}

// --- destinations of leases -----------------------------------------------------------

// The networks that this host is in, except by an interface of a default route.
std::vector<Network> near_networks() {
  auto outer = routes::default_interfaces(AF_INET);
  outer.merge(routes::default_interfaces(AF_INET6));
  std::vector<Network> found;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) tool::fail_errno(tool::os, "read the host's addresses");
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> holder(list, freeifaddrs);
  for (const ifaddrs* i = list; i; i = i->ifa_next) {
    if (!i->ifa_addr || !i->ifa_netmask || (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6))
      continue;
    if (outer.count(i->ifa_name) != 0) continue;
    const Network network =
        network_of(IpAddress::from_sockaddr(*i->ifa_addr), IpAddress::from_sockaddr(*i->ifa_netmask));
    if (!config::destination::never_reachable(network.base, {}).empty()) continue;  // loopback, link-local
    const bool whole = network.prefix == (network.base.is_v4() ? 32 : 128);
    const bool known = std::any_of(found.begin(), found.end(), [&](const Network& one) {
      return one.base == network.base && one.prefix == network.prefix;
    });
    if (!whole && !known) found.push_back(network);
  }
  return found;
}

Verdicts destinations(const Patient& patient) {
  if (off(patient)) return {};
  return {judge_destinations(*patient.proxy, near_networks())};
}

// --- users and clients --------------------------------------------------------------------

Verdicts node_account(const Patient& patient) {
  if (off(patient)) return {};
  const std::string name = paths::kNodeAccount;
  if (!accounts::exists(name)) {
    return {
        fail(fmt::format("there is no account {}, which the node API runs as", name),
             fmt::format("useradd --system --user-group --home-dir /nonexistent --shell /usr/sbin/nologin {}", name))};
  }
  if (accounts::identity_of(name).uid == 0)
    return {fail(
        fmt::format("{} is root", name),
        fmt::format("userdel {0}; useradd --system --user-group --home-dir /nonexistent --shell /usr/sbin/nologin {0}",
                    name))};
  if (accounts::groups_of(name).size() > 1)
    return {fail(fmt::format("{} is in other groups than its own", name), fmt::format("usermod -G '' {}", name))};
  return {ok(fmt::format("{} is there", name))};
}

// Asks asp-lease as the node service does; empty: it answers.
std::string try_lease() {
  constexpr std::chrono::seconds kPatience{10};
  const Fd socket = unix_socket::connect(paths::kLeaseSocket);
  if (!socket) return fmt::format("cannot connect to {}: {}", paths::kLeaseSocket, std::strerror(errno));
  const std::string question = session::trial::question().text();
  if (::send(socket.get(), question.data(), question.size(), MSG_NOSIGNAL) < 0) tool::fail_errno(tool::os, "send");
  if (!await::readable(socket.get(), Deadline::in(kPatience)))
    return fmt::format("got no answer from asp-lease within {} s", kPatience.count());
  std::string packet(8192, '\0');
  const ssize_t length = ::recv(socket.get(), packet.data(), packet.size(), MSG_DONTWAIT);
  if (length <= 1) return "is turned away by asp-lease; the log says why";
  packet.resize(static_cast<std::size_t>(length) - 1);
  const auto line = status::parse(packet);
  return line.event == "works" ? "" : fmt::format("{} {}", line.event, line.get("reason"));
}

Verdicts node_lease(const Patient& patient) {
  const std::string name = paths::kNodeAccount;
  if (off(patient) || !accounts::exists(name)) return {};
  if (const auto wrong = root_only::complaint(std::string(paths::kLibexec) + "asp-lease"))
    return {fail(*wrong, cure_of_root_only(std::string(paths::kLibexec) + "asp-lease"))};
  if (const std::string complaint = tried_as::ask(name, try_lease, std::chrono::seconds(15)); !complaint.empty()) {
    return {fail(fmt::format("{} {}", name, complaint),
                 "systemctl start asp-lease.socket  # or /etc/init.d/asperaproxy start")};
  }
  if (const auto others = other_rights(ask_once({paths::kSudo, "-n", "-l", "-U", name}).out, {}); !others.empty()) {
    return {warn(fmt::format("{} may run by sudo: {}", name, others),
                 fmt::format("grep -rn {} /etc/sudoers /etc/sudoers.d  # take that out: it is not needed", name))};
  }
  return {ok(fmt::format("asp-lease answers {}", name))};
}

// Under systemd asp-lease has no right to start these itself (base/aside); its unit wants them, which does not help
// where one is masked. Neither is asked about elsewhere.
Verdicts lease_sockets(const Patient& patient) {
  constexpr char kSystemctl[] = "/usr/bin/systemctl";
  if (off(patient) || ::access("/run/systemd/system", F_OK) != 0) return {};
  if (!ask_once({kSystemctl, "is-active", "--quiet", "asp-lease.socket"}).well()) return {};  // as node_lease says
  Verdicts found;
  for (const auto& [unit, needed_for] :
       {std::pair{"asp-name.socket", "looks up no name"}, {"asp-redis.socket", "asks no Redis"}}) {
    if (unit == std::string("asp-redis.socket") && (!patient.cluster || patient.cluster->redis.empty())) continue;
    if (ask_once({kSystemctl, "is-active", "--quiet", unit}).well()) continue;
    found.push_back(fail(fmt::format("{} does not listen, so asp-lease {}", unit, needed_for),
                         Steps{{"systemctl", "unmask", unit}, {"systemctl", "enable", "--now", unit}}));
  }
  if (found.empty()) found.push_back(ok("asp-lease reaches what it asks"));
  return found;
}

Verdicts node_users_file(const Patient& patient) {
  if (off(patient)) return {};
  if (!patient.proxy->authentication) {
    return {
        warn("<authentication> is off, so whoever reaches the node API may lease ports",
             "asconfigurator -x 'set_server_data;proxy_authentication,true'  # and asnodeadmin -au NAME -x ACCOUNT")};
  }
  const std::string path = paths::kNodeUsers;
  std::vector<config::NodeUser> users;
  try {
    users = config::node_users::load(path);
  } catch (const tool::Failure& failure) {
    return {fail(failure.what(), "asnodeadmin --reload  # checks it again, once that line is mended or taken out")};
  }
  if (users.empty())
    return {fail("there is no user of the node API, so nobody can lease ports", "asnodeadmin -au NAME -x ACCOUNT")};
  const std::string cure = fmt::format("chown root:{} {}; chmod 640 {}", paths::kNodeAccount, path, path);
  if (accounts::exists(paths::kNodeAccount)) {
    const std::string complaint = tried_as::ask(
        paths::kNodeAccount, [&] { return ::access(path.c_str(), R_OK) == 0 ? "" : "cannot read " + path; });
    if (!complaint.empty()) return {fail(fmt::format("{} {}", paths::kNodeAccount, complaint), cure)};
  }
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && (status.st_mode & S_IROTH) != 0)
    return {fail(fmt::format("everybody on this host can read {}", path), cure)};
  Verdicts found;
  for (const auto& user : users) {
    if (!accounts::exists(user.system_user)) {
      found.push_back(warn(fmt::format("{} stands for the account {}, which is gone", user.name, user.system_user),
                           fmt::format("asnodeadmin -mu {} -x ACCOUNT", user.name)));
    }
  }
  if (found.empty()) found.push_back(ok(fmt::format("{} users", users.size())));
  return found;
}

// --- ports ---------------------------------------------------------------------------------

std::vector<Endpoint> listeners(bool udp) {
  std::vector<Endpoint> all;
  for (const char* suffix : {"", "6"}) {
    for (const auto& one :
         sockets::listening(read_file(fmt::format("/proc/net/{}{}", udp ? "udp" : "tcp", suffix)), udp))
      all.push_back(one);
  }
  return all;
}

Verdicts lease_ports(const Patient& patient) {
  if (off(patient)) return {};
  const PortRange leased{patient.proxy->port_range_low, patient.proxy->port_range_high};
  Verdicts found;
  const auto clash = judge_local_ports(leased, read_file("/proc/sys/net/ipv4/ip_local_port_range"),
                                       read_file("/proc/sys/net/ipv4/ip_local_reserved_ports"));
  if (clash.grade != Grade::ok) found.push_back(clash);
  std::set<Port> taken;
  for (const bool udp : {false, true}) {
    for (const auto& one : listeners(udp)) {
      if (leased.low <= one.port && one.port <= leased.high) taken.insert(one.port);
    }
  }
  for (const auto& one : patient.node->listeners) taken.erase(one.port);  // by default they are within the range
  if (!taken.empty()) {
    found.push_back(
        warn(fmt::format("other programs of this host listen on ports of the range: {}", listed(texts(taken))),
             "# nothing has to be done, they are passed over; or take another range"));
  }
  if (patient.rproxy && patient.rproxy->enabled) {
    std::set<Port> shared;
    for (const auto& rule : patient.rproxy->rules) {
      const PortRange used = rule.proxy_port != 0 && rule.udp_port_reuse ? PortRange{rule.proxy_port, rule.proxy_port}
                                                                         : rule.udp_port_range;
      if (used.low <= leased.high && leased.low <= used.high) shared.insert(std::max(used.low, leased.low));
    }
    if (!shared.empty()) {
      found.push_back(
          fail(fmt::format("rules of the reverse proxy have UDP ports of the range: {}", listed(texts(shared))),
               "# give another <port_range_low>, or another <proxy_port>"));
    }
  }
  if (found.empty()) found.push_back(ok(fmt::format("{} to {} are free", leased.low, leased.high)));
  return found;
}

Verdicts node_service(const Patient& patient) {
  if (off(patient)) return {};
  Verdicts found;
  std::vector<std::string> ports;
  const auto listening = listeners(false);
  for (const auto& wanted : patient.node->listeners) {
    const auto address = wanted.address ? wanted.address : patient.proxy->bind_ip_address;
    const bool there = std::any_of(listening.begin(), listening.end(), [&](const Endpoint& one) {
      return one.port == wanted.port && (!address || one.ip == *address || one.ip == *IpAddress::parse("0.0.0.0") ||
                                         one.ip == *IpAddress::parse("::"));
    });
    const std::string shown = fmt::format(
        "{}{}", address ? Endpoint{*address, wanted.port}.text() : std::to_string(wanted.port), wanted.tls ? "s" : "");
    if (there) ports.push_back(shown);
    else
      found.push_back(fail(fmt::format("nobody listens on TCP {} for the node API", shown),
                           "systemctl start asperanoded  # the log says why it does not run"));
  }
  if (patient.node->listeners.empty())
    found.push_back(fail("aspera.conf has no port for the node API",
                         "asconfigurator -x 'set_server_data;enable_https,true'; systemctl restart asperanoded"));
  if (found.empty()) found.push_back(ok(fmt::format("listens on {}", listed(ports))));
  return found;
}

Verdicts plain_http(const Patient& patient) {
  if (off(patient)) return {};
  for (const auto& one : patient.node->listeners) {
    const auto address = one.address ? one.address : patient.proxy->bind_ip_address;
    if (one.tls || (address && Network::parse("127.0.0.0/8")->contains(*address)) ||
        (address && *address == *IpAddress::parse("::1")))
      continue;
    return {
        warn(fmt::format("the node API is served without TLS on port {}: whoever sees the packets reads the passwords",
                         one.port),
             "asconfigurator -x 'set_server_data;enable_http,false'; systemctl restart asperanoded  # and dnats:// for "
             "the clients")};
  }
  return {ok("the node API is served with TLS alone")};
}

// --- the certificate ---------------------------------------------------------------------------

// The validity of a certificate file; its first certificate counts.
std::optional<Validity> validity_of(const std::string& text) {
  gnutls_x509_crt_t certificate = nullptr;
  if (::gnutls_x509_crt_init(&certificate) != 0) return std::nullopt;
  const std::unique_ptr<gnutls_x509_crt_int, decltype(&gnutls_x509_crt_deinit)> holder(certificate,
                                                                                       gnutls_x509_crt_deinit);
  gnutls_datum_t data{reinterpret_cast<unsigned char*>(const_cast<char*>(text.data())),
                      static_cast<unsigned>(text.size())};
  if (::gnutls_x509_crt_import(certificate, &data, GNUTLS_X509_FMT_PEM) != 0) return std::nullopt;
  return Validity{::gnutls_x509_crt_get_activation_time(certificate),
                  ::gnutls_x509_crt_get_expiration_time(certificate)};
}

Verdicts certificate(const Patient& patient) {
  if (off(patient)) return {};
  const auto& node = *patient.node;
  if (std::none_of(node.listeners.begin(), node.listeners.end(), [](const config::Listener& one) { return one.tls; }))
    return {};
  const bool own = node.cert_file.empty() && node.key_file.empty();
  const std::string file = own ? kOwnCertificate : node.cert_file;
  const std::string key = own ? kOwnKey : node.key_file.empty() ? file : node.key_file;
  if (own && ::access(file.c_str(), F_OK) != 0) return {ok("asperanoded makes one at its first start")};
  const std::string anew = own ? fmt::format("rm {} {}; systemctl restart asperanoded  # makes a new one", file, key)
                               : "systemctl restart asperanoded  # once a new one is issued and in place";
  for (const auto& path : {file, key}) {
    if (const auto wrong = root_only::complaint(path))
      return {fail(*wrong, fmt::format("chown root {}; chmod go-w {}", path, path))};
  }
  struct stat status {};
  if (::stat(key.c_str(), &status) == 0 && (status.st_mode & S_IRWXO) != 0)
    return {
        fail(fmt::format("everybody on this host can read the private key {}", key), fmt::format("chmod 600 {}", key))};
  const auto validity = validity_of(read_file(file));
  if (!validity) return {fail(fmt::format("{} has no certificate that can be read", file), anew)};
  Verdict verdict = judge_validity(*validity, std::time(nullptr));
  verdict.what = fmt::format("{} {}", file, verdict.what);
  if (verdict.grade != Grade::ok) verdict.cure = anew;
  return {verdict};
}

// --- the kernel ---------------------------------------------------------------------------------

// With --check the kernel says whether it would accept the rules, and does nothing.
Verdicts lease_nftables(const Patient& patient) {
  if (off(patient)) return {};
  const auto tried =
      ask({"/usr/sbin/nft", "--check",
           "add table inet sallyport_check; add chain inet sallyport_check nat { type nat hook prerouting priority "
           "-110; }; "
           "add rule inet sallyport_check nat meta nfproto ipv4 tcp dport 5000 dnat ip to 198.51.100.50:22"});
  if (!tried.well())
    return {
        fail(tried.first_complaint(),
             "apt-get install nftables; modprobe -a nf_tables nft_nat  # is this a container without CAP_NET_ADMIN?")};
  return {ok("leases can be made")};
}

}  // namespace

const std::vector<Condition>& forward_conditions() {
  static const std::vector<Condition> all{{"lease_nftables", lease_nftables}, {"node_account", node_account},
                                          {"node_lease", node_lease},         {"lease_sockets", lease_sockets},
                                          {"node_users", node_users_file},    {"lease_ports", lease_ports},
                                          {"certificate", certificate},       {"node_service", node_service},
                                          {"plain_http", plain_http},         {"destinations", destinations}};
  return all;
}

}  // namespace doctor
