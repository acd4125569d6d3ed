#include "judge.h"

#include <fnmatch.h>
#include <strings.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <charconv>
#include <map>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/cut.h"
#include "base/decimal.h"

namespace doctor {
namespace {

bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

}  // namespace

Verdict judge_iptables(std::string_view version, std::string_view others, const std::string& others_program) {
  const auto words = cut::words(version);
  std::string_view number = words.size() > 1 ? words[1] : "of unknown version";
  if (number.starts_with('v')) number.remove_prefix(1);
  const bool nft = contains(version, "nf_tables");
  const std::string what = fmt::format("usable ({}, {})", nft ? "nf_tables backend" : "legacy backend", number);
  if (contains(others, "SALLYPORT")) {
    return fail(what + ", and the other backend has chains of the suite, which nobody clears up",
                fmt::format("{0}-save | grep -v SALLYPORT | {0}-restore", others_program));
  }
  if (contains(others, "\n-A ")) {
    return warn(what + ", and the other backend has rules, too",
                fmt::format("{}-save  # shows them; keep all rules in one of the two", others_program));
  }
  return ok(what);
}

Verdict judge_conntrack(std::uint64_t count, std::uint64_t max) {
  const std::uint64_t percent = max == 0 ? 0 : count * 100 / max;
  const std::string what = fmt::format("{} of {} flows ({} %)", count, max, percent);
  const std::string cure =
      fmt::format("sysctl -w net.netfilter.nf_conntrack_max={}  # conntrack -L shows whose they are", max * 2);
  if (max != 0 && count * 100 >= max * 95) return fail(what + ": new ones are dropped when it is full", cure);
  if (max != 0 && count * 100 >= max * 80) return warn(what, cure);
  return ok(what);
}

Verdict judge_client_flows(const config::Config& config, std::uint64_t max) {
  const std::uint64_t bound = config.max_flows_per_client;
  if (bound == 0)
    return warn(fmt::format("no limit, so one client may have all {} that the kernel tracks", max),
                "asconfigurator -x 'set_server_data;max_flows_per_client,AS_NULL'; asperaproxy reload");
  constexpr unsigned kForSession = 3;  // SSH of the client's and of the server's, and UDP
  const std::uint64_t sessions = config.rproxy.max_sessions;
  const std::uint64_t of_user = config.rproxy.max_sessions_of_user();
  const std::uint64_t needed = kForSession * sessions + bound * std::max<std::uint64_t>(of_user, 1);
  const std::string what = fmt::format("{} at most", bound);
  if (needed <= max) return ok(what);
  const std::string user = of_user > 1 ? fmt::format(" for each of the {} sessions that a user may have", of_user) : "";
  return warn(
      fmt::format("{}{}, and nf_conntrack_max is {}: one user can fill that", what, user, max),
      fmt::format("sysctl -w net.netfilter.nf_conntrack_max={}  # for the next boot in /etc/sysctl.d; or a lower "
                  "<max_flows_per_client> or <max_sessions_per_user>",
                  needed));
}

namespace {

std::string of_interface(const char* family, const std::string& interface, const char* name) {
  return fmt::format("{}/conf/{}/{}", family, interface, name);
}

}  // namespace

// The kernel takes the greater one of the interface's value and that for all.
Verdict judge_sources(const std::vector<std::string>& interfaces, const Setting& setting) {
  std::vector<std::string> off;
  const std::string all = setting(of_interface("ipv4", "all", "rp_filter"));
  for (const auto& interface : interfaces) {
    const std::string mode = std::max(all, setting(of_interface("ipv4", interface, "rp_filter")));
    if (mode == "0") off.push_back(interface);
  }
  const Steps cure{{"sysctl", "-w", "net.ipv4.conf.all.rp_filter=2"}};
  if (!off.empty())
    return warn(fmt::format("rp_filter is 0 for {}: forged source addresses get in", fmt::join(off, ", ")), cure,
                kForNextBoot);
  return ok("forged ones are dropped, as far as routes tell");
}

// A host that forwards accepts redirects only if both values allow it, and sends them if one does.
Verdict judge_redirects(const std::vector<std::string>& interfaces, const Setting& setting) {
  std::vector<std::string> wrong;
  const auto is_on = [&](const char* name, const std::string& interface) {
    return setting(of_interface("ipv4", interface, name)) == "1";
  };
  const auto some = [&](const char* name) {
    return std::any_of(interfaces.begin(), interfaces.end(),
                       [&](const std::string& interface) { return is_on(name, interface); });
  };
  if (is_on("accept_redirects", "all") && some("accept_redirects"))
    wrong.push_back("net.ipv4.conf.all.accept_redirects");
  if (is_on("send_redirects", "all")) wrong.push_back("net.ipv4.conf.all.send_redirects");
  for (const auto& interface : interfaces) {
    if (is_on("send_redirects", interface)) wrong.push_back(of_interface("net/ipv4", interface, "send_redirects"));
  }
  if (wrong.empty()) return ok("neither accepted nor sent");
  Steps off{{"sysctl", "-w"}};
  for (const auto& one : wrong) off[0].push_back(one + "=0");
  return warn(fmt::format("{} is on: a packet can redirect traffic", fmt::join(wrong, ", ")), off, kForNextBoot);
}

Verdict judge_hosts(std::string_view text) {
  for (const auto line : cut::lines(text)) {
    const auto words = cut::words(line.substr(0, line.find('#')));
    if (words.empty() || words[0] != "127.0.0.1") continue;
    if (std::find(words.begin() + 1, words.end(), "localhost") != words.end()) return ok("127.0.0.1 is localhost");
  }
  return warn("/etc/hosts does not say that 127.0.0.1 is localhost", "echo '127.0.0.1 localhost' >> /etc/hosts");
}

std::optional<Verdict> judge_own_name(std::string_view hosts, std::string_view nsswitch, const std::string& name) {
  const auto is_name = [&](std::string_view word) {
    return word.size() == name.size() && ::strncasecmp(word.data(), name.data(), name.size()) == 0;
  };
  const auto knows_itself = [](std::string_view module) { return module == "myhostname" || module == "resolve"; };
  for (const auto line : cut::lines(hosts)) {
    const auto words = cut::words(line.substr(0, line.find('#')));
    if (words.size() > 1 && std::any_of(words.begin() + 1, words.end(), is_name)) return std::nullopt;
  }
  for (const auto line : cut::lines(nsswitch)) {
    const auto words = cut::words(line.substr(0, line.find('#')));
    if (words.empty() || words[0] != "hosts:") continue;
    if (std::any_of(words.begin() + 1, words.end(), knows_itself)) return std::nullopt;
  }
  return warn(fmt::format("/etc/hosts does not have this host's own name, {}: sudo waits for name servers that are "
                          "silent",
                          name),
              fmt::format("echo '127.0.1.1 {}' >> /etc/hosts", name));
}

std::optional<Verdict> judge_room(const std::string& directory, Room blocks, Room inodes, const std::string& cure) {
  constexpr std::uint64_t kMuch = 95;  // percent
  const auto used = [](const Room& room) { return room.all == 0 ? 0 : 100 - room.free * 100 / room.all; };
  if (used(blocks) >= kMuch) return warn(fmt::format("{} is full to {} %", directory, used(blocks)), cure);
  if (used(inodes) >= kMuch)
    return warn(fmt::format("{} has {} % of its inodes in use", directory, used(inodes)), cure);
  return std::nullopt;
}

Verdict judge_cron(std::string_view text, const std::string& reaper) {
  for (const auto line : cut::lines(text)) {
    const auto words = cut::words(line);
    if (words.size() < 7 || words[0].starts_with('#') ||
        std::find(words.begin() + 6, words.end(), reaper) == words.end())
      continue;
    const bool every_minute =
        std::all_of(words.begin(), words.begin() + 5, [](std::string_view word) { return word == "*"; });
    if (words[5] == "root" && every_minute) return ok("asp-reap runs every minute");
    return warn(fmt::format("asp-reap does not run every minute as root, but: {}", line),
                "apt-get install --reinstall sallyport  # or make install");
  }
  return fail(fmt::format("/etc/cron.d/sallyport does not run {}", reaper),
              "apt-get install --reinstall sallyport  # or make install");
}

std::string other_rights(std::string_view text, const std::vector<std::string>& helpers) {
  return fmt::format("{}", fmt::join(other_grants(text, helpers), "; "));
}

std::vector<std::string> other_grants(std::string_view text, const std::vector<std::string>& helpers) {
  constexpr std::string_view kRunAsRoot = "(root) ";
  bool rights = false;
  std::vector<std::string> others;
  for (const auto line : cut::lines(text)) {
    if (contains(line, "may run the following commands")) {
      rights = true;
      continue;
    }
    const auto start = line.find_first_not_of(" \t");
    if (!rights || start == line.npos) continue;
    const std::string right(line.substr(start));
    std::string rest = right + ", ";
    const auto take = [&](const std::string& what) {
      const bool there = rest.starts_with(what);
      if (there) rest.erase(0, what.size());
      return there;
    };
    bool passwordless = false;
    if (take(std::string(kRunAsRoot))) {
      while (take("NOSETENV: ") || take("EXEC: ") || (take("NOPASSWD: ") && (passwordless = true))) {
      }
    }
    // One line may grant several, separated by commas.
    for (const auto& helper : helpers) {
      if (passwordless) take(helper + " \"\", ");
    }
    if (!rest.empty()) others.push_back(right);
  }
  return others;
}

Verdict judge_clock(std::int64_t now, bool synchronised) {
  constexpr std::int64_t kEarliest = 1577836800;  // 2020
  constexpr std::int64_t kLatest = 4102444800;    // 2100
  const std::string cure = "timedatectl set-ntp true  # or set up chrony";
  if (now < kEarliest || now > kLatest) return fail("the clock is wrong by years", cure);
  if (!synchronised) return warn("not synchronised, so the times in the log may be wrong", cure);
  return ok("synchronised");
}

Verdict judge_selinux(std::string_view enforce) {
  if (enforce.empty()) return ok("not enabled");
  if (enforce.starts_with('0')) return ok("permissive");
  return ok("enforcing; if it denies something: ausearch -m avc -ts recent");
}

Verdict judge_fate(const packet_filter::Fate& fate, const std::string& packets, const std::string& cure) {
  switch (fate.dropped) {
    case packet_filter::Answer::no: return ok(fmt::format("nothing drops {}", packets));
    case packet_filter::Answer::maybe: return warn(fmt::format("{} may be dropped by {}", packets, fate.by), cure);
    case packet_filter::Answer::yes: return fail(fmt::format("{} are dropped by {}", packets, fate.by), cure);
  }
  return {};
}

namespace {

// `sshd -T`: a keyword and a value a line. OpenSSH writes keywords in small letters until
// 10.5, and then as its manual page has them. A keyword may come again.
using SshdSettings = std::vector<std::pair<std::string, std::string>>;

SshdSettings parse_sshd_settings(std::string_view text) {
  SshdSettings settings;
  for (const auto line : cut::lines(text)) {
    const auto space = line.find(' ');
    if (space == line.npos) continue;
    std::string keyword(line.substr(0, space));
    std::transform(keyword.begin(), keyword.end(), keyword.begin(), [](unsigned char c) { return std::tolower(c); });
    settings.emplace_back(std::move(keyword), line.substr(space + 1));
  }
  return settings;
}

}  // namespace

Complaints judge_sshd(std::string_view settings, const std::string& shell) {
  std::map<std::string, std::string> is;
  for (auto& [keyword, value] : parse_sshd_settings(settings)) is.emplace(std::move(keyword), std::move(value));
  Complaints found;
  const auto wrong = [&](bool grave, std::string text) {
    (grave ? found.failures : found.warnings).push_back(std::move(text));
  };
  if (is["forcecommand"] != shell)
    wrong(true, fmt::format("ForceCommand is {}", is["forcecommand"].empty() ? "none" : is["forcecommand"]));
  if (is["permituserrc"] != "no") wrong(true, fmt::format("PermitUserRC is {}", is["permituserrc"]));
  if (is["passwordauthentication"] != "no") wrong(false, "PasswordAuthentication is yes");
  if (is["pubkeyauthentication"] == "no") wrong(true, "PubkeyAuthentication is no");
  if (is["exposeauthinfo"] != "yes") wrong(false, "ExposeAuthInfo is no, so the log lacks the key");
  if (is["clientaliveinterval"] == "0" || is["clientalivecountmax"] == "0")
    wrong(false, "no keep-alives (ClientAliveInterval, ClientAliveCountMax), so dead clients stay");
  if (is["permitrootlogin"] != "no") wrong(false, fmt::format("PermitRootLogin is {}", is["permitrootlogin"]));
  return found;
}

namespace {

// True if one of the patterns of a list such as AllowUsers is for one of the names.
bool names_one(const std::vector<std::string>& patterns, const std::vector<std::string>& names) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    const std::string name = pattern.substr(0, pattern.rfind('@'));
    return std::any_of(names.begin(), names.end(),
                       [&](const std::string& one) { return ::fnmatch(name.c_str(), one.c_str(), 0) == 0; });
  });
}

}  // namespace

std::vector<std::string> judge_admission(std::string_view settings, const std::string& user,
                                         const std::vector<std::string>& groups) {
  std::map<std::string, std::vector<std::string>> has;
  for (const auto& [keyword, value] : parse_sshd_settings(settings)) {
    for (const auto word : cut::words(value)) has[keyword].emplace_back(word);
  }
  std::vector<std::string> found;
  const auto look = [&](const char* suffix, const std::vector<std::string>& names) {
    const std::string keyword = std::string(suffix) == "Users" ? "users" : "groups";
    if (names_one(has["deny" + keyword], names)) found.push_back(fmt::format("Deny{} keeps out", suffix));
    const auto& allowed = has["allow" + keyword];
    if (!allowed.empty() && !names_one(allowed, names)) found.push_back(fmt::format("Allow{} does not name", suffix));
  };
  look("Users", {user});
  look("Groups", groups);
  const auto is_off = [&](std::string_view method) {
    for (const auto& [name, keyword] : {std::pair{"publickey", "pubkeyauthentication"},
                                        {"password", "passwordauthentication"},
                                        {"keyboard-interactive", "kbdinteractiveauthentication"}}) {
      if (method.substr(0, method.find(':')) == name) return has[keyword] == std::vector<std::string>{"no"};
    }
    return false;
  };
  const auto& methods = has["authenticationmethods"];
  const bool none = std::all_of(methods.begin(), methods.end(), [&](const std::string& list) {
    const auto each = cut::words(list, ",");
    return std::any_of(each.begin(), each.end(), is_off);
  });
  if (!methods.empty() && none)
    found.push_back(fmt::format("AuthenticationMethods {}, which is off, keeps out", fmt::join(methods, " ")));
  return found;
}

std::vector<std::string> judge_detours(std::string_view settings) {
  std::map<std::string, std::string> is;
  std::string sftp;
  for (auto& [keyword, value] : parse_sshd_settings(settings)) {
    if (keyword == "subsystem" && value.find("internal-sftp") != value.npos) sftp = value;
    is.emplace(std::move(keyword), std::move(value));
  }
  std::vector<std::string> found;
  for (const auto& [option, name] : {std::pair{"allowtcpforwarding", "AllowTcpForwarding"},
                                     {"allowstreamlocalforwarding", "AllowStreamLocalForwarding"}}) {
    if (is["disableforwarding"] != "yes" && is[option] != "no")
      found.push_back(fmt::format("{} is {}", name, is[option]));
  }
  if (is["permituserenvironment"] != "no")
    found.push_back(fmt::format("PermitUserEnvironment is {}", is["permituserenvironment"]));
  const auto& forced = is["forcecommand"];
  if (!sftp.empty() && (forced.empty() || forced == "none"))
    found.push_back(fmt::format("Subsystem is {}, and there is no ForceCommand", sftp));
  return found;
}

bool has_keys_at_home(std::string_view settings) {
  for (const auto& [keyword, value] : parse_sshd_settings(settings)) {
    if (keyword == "authorizedkeysfile") return value.find(".ssh/") != value.npos;
  }
  return true;
}

// An sshd that does not know a setting does not print it; one before OpenSSH 8.5 has nothing that would help.
std::vector<std::string> judge_startups(std::string_view settings) {
  std::vector<std::string> found;
  std::map<std::string, std::string> is;
  for (auto& [keyword, value] : parse_sshd_settings(settings)) is.emplace(std::move(keyword), std::move(value));
  const auto number = [](std::string_view text) { return parse_decimal(text, 0, 1'000'000'000); };
  const std::string& all = is["maxstartups"];  // 300:30:600, or 300
  const auto begin = number(std::string_view(all).substr(0, all.find(':')));
  constexpr long kMany = 100;
  if (begin && *begin < kMany)
    found.push_back(
        fmt::format("MaxStartups is {}: when more than {} clients come at once, some are turned away", all, *begin));
  if (!is.contains("persourcemaxstartups")) return found;
  const std::string& most = is["persourcemaxstartups"];
  const auto limit = number(most);
  if (!limit) found.push_back(fmt::format("PerSourceMaxStartups is {}: one address can keep all others out", most));
  else if (begin && *limit >= *begin)
    found.push_back(fmt::format("PerSourceMaxStartups {} is not below the first number of MaxStartups, {}: one address "
                                "can keep all others out",
                                most, all));
  if (limit && is["persourcenetblocksize"].ends_with(":128"))
    found.push_back(fmt::format("PerSourceNetBlockSize is {}: one IPv6 host has more addresses than can be counted",
                                is["persourcenetblocksize"]));
  if (is["logingracetime"] == "0") found.push_back("LoginGraceTime is 0: clients that do not log in may stay for ever");
  return found;
}

std::vector<Port> ports_of(std::string_view settings) {
  std::vector<Port> ports;
  for (const auto& [keyword, value] : parse_sshd_settings(settings)) {
    if (keyword != "port") continue;
    if (const auto port = parse_port(value)) ports.push_back(*port);
  }
  return ports;
}

std::set<Port> ssh_ports(std::string_view settings) {
  const auto all = ports_of(settings);
  std::set<Port> ports(all.begin(), all.end());
  if (ports.size() > 1) ports.erase(22);
  if (ports.empty()) ports.insert(kUsualSshPort);
  return ports;
}

namespace {

std::string range_text(const PortRange& range) { return fmt::format("{}-{}", range.low, range.high); }

// "5000-10000,11000"
std::vector<PortRange> ranges_of(std::string_view text) {
  std::vector<PortRange> found;
  for (const auto word : cut::words(text, ", \t\n")) {
    std::string one(word);
    std::replace(one.begin(), one.end(), '-', ':');
    if (const auto range = PortRange::parse(one)) found.push_back(*range);
  }
  return found;
}

// True if the entry covers all of `network`, on all ports.
bool denies(const config::Destination& entry, const Network& network) {
  return entry.network && !entry.ports && entry.network->prefix <= network.prefix &&
         entry.network->contains(network.base);
}

// True if the entry is for a network that `network` is a part of: perhaps nobody has thought of that.
bool includes(const config::Destination& entry, const Network& network) {
  return entry.network && entry.network->prefix < network.prefix && entry.network->contains(network.base);
}

std::string network_text(const Network& network) { return fmt::format("{}/{}", network.base.text(), network.prefix); }

}  // namespace

Verdict judge_local_ports(const PortRange& leased, std::string_view local, std::string_view reserved) {
  const auto ends = ranges_of(local);
  if (ends.size() != 2) return ok("the kernel does not say which ports it takes");
  const long low = std::max(leased.low, ends[0].low);
  const long high = std::min(leased.high, ends[1].low);
  const auto kept = ranges_of(reserved);
  const auto is_kept = [&](long port) {
    return std::any_of(kept.begin(), kept.end(),
                       [&](const PortRange& range) { return range.low <= port && port <= range.high; });
  };
  for (long port = low; port <= high; ++port) {
    if (is_kept(port)) continue;
    std::string all;
    for (const auto& range : kept) all += range_text(range) + ",";
    all += range_text(leased);
    return warn(
        fmt::format("{} to {} are also used by the kernel for the host's own connections, which then run into a lease",
                    low, high),
        fmt::format("sysctl -w net.ipv4.ip_local_reserved_ports={}  # for the next boot, in /etc/sysctl.d", all));
  }
  return ok(fmt::format("{} to {} are not used for the host's own connections", leased.low, leased.high));
}

Verdict judge_destinations(const config::Proxy& proxy, const std::vector<Network>& near) {
  if (proxy.allowed_destinations.empty()) return ok("anywhere but private networks and those that this host is in");
  std::string reached;
  for (const auto& network : near) {
    const auto& allowed = proxy.allowed_destinations;
    const auto& denied = proxy.denied_destinations;
    if (std::none_of(allowed.begin(), allowed.end(),
                     [&](const config::Destination& entry) { return includes(entry, network); }))
      continue;
    if (std::any_of(denied.begin(), denied.end(),
                    [&](const config::Destination& entry) { return denies(entry, network); }))
      continue;
    reached += (reached.empty() ? "" : ", ") + network_text(network);
  }
  const std::string count = fmt::format("{} entries say what is allowed", proxy.allowed_destinations.size());
  if (reached.empty()) return ok(count);
  return warn(
      fmt::format("leases may lead to networks that this host is in: {}", reached),
      fmt::format("narrower <allowed_destinations>, or <denied_destinations>{}</denied_destinations>", reached));
}

Verdict judge_validity(const Validity& validity, std::time_t now) {
  constexpr std::time_t kDay = 86400;
  const auto day = [](std::time_t time) {
    std::tm parts{};
    ::gmtime_r(&time, &parts);
    return fmt::format("{:04}-{:02}-{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday);
  };
  if (now < validity.from) return fail(fmt::format("is not valid before {}", day(validity.from)), "");
  if (now > validity.until) return fail(fmt::format("has expired on {}", day(validity.until)), "");
  if (validity.until - now < 30 * kDay) return warn(fmt::format("expires on {}", day(validity.until)), "");
  return ok(fmt::format("is valid until {}", day(validity.until)));
}

Network network_of(const IpAddress& address, const IpAddress& mask) {
  const std::size_t size = address.is_v4() ? 4 : 16;
  std::uint8_t base[16]{};
  int prefix = 0;
  for (std::size_t i = 0; i < size; ++i) {
    base[i] = static_cast<std::uint8_t>(address.bytes()[i] & mask.bytes()[i]);
    prefix += std::popcount(mask.bytes()[i]);
  }
  return {address.is_v4() ? IpAddress::from_v4(base) : IpAddress::from_v6(base), prefix};
}

}  // namespace doctor
