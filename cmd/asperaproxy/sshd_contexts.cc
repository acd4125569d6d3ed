#include "sshd_contexts.h"

#include <glob.h>
#include <ifaddrs.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <set>

#include <fmt/core.h>

#include "base/address.h"
#include "base/cut.h"
#include "base/failure.h"
#include "doctor.h"

namespace sshd_contexts {
namespace {

constexpr char kConfig[] = "/etc/ssh/sshd_config";
constexpr int kMostNested = 16;
constexpr std::size_t kMostKinds = 64;
constexpr char kOutsider[] = "192.0.2.1";  // nobody's (RFC 5737): somewhere outside

std::string small(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

// One that the pattern matches.
std::string with_wildcards(std::string_view pattern, char wildcard) {
  std::string out(pattern);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c == '*' || c == '?'; }, wildcard);
  return out;
}

// The values of one criterion. A negated pattern is nobody's.
std::vector<std::string> samples(std::string_view values, bool of_addresses) {
  std::vector<std::string> found;
  for (const auto value : cut::words(values, ",")) {
    if (value.starts_with('!')) continue;
    found.push_back(of_addresses ? with_wildcards(value.substr(0, value.find('/')), '1') : with_wildcards(value, 'x'));
  }
  return found;
}

std::vector<std::string> files_of(const std::string& pattern) {
  glob_t found{};
  const std::unique_ptr<glob_t, void (*)(glob_t*)> holder(&found, ::globfree);
  if (::glob(pattern.c_str(), 0, nullptr, &found) != 0) return {};
  return {found.gl_pathv, found.gl_pathv + found.gl_pathc};
}

class Reader {
 public:
  void read(const std::string& path, int depth) {
    files_.push_back(path);
    if (depth > kMostNested) return;
    std::string text = doctor::read_file(path);
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c == '"' || c == '='; }, ' ');
    for (const auto line : cut::lines(text)) {
      const auto views = cut::words(line);
      const std::vector<std::string> words(views.begin(), views.end());
      if (words.empty()) continue;
      if (small(words[0]) == "include") include(words, depth);
      if (small(words[0]) == "match") add(criteria_of({words.begin() + 1, words.end()}));
    }
  }

  Contexts contexts(const Settings& settings) const {
    std::vector<std::string> ports;
    if (const auto found = settings.find("port"); found != settings.end()) ports = found->second;
    if (ports.empty()) ports = {"22"};
    if (!ports_) ports.resize(1);
    std::vector<std::string> addresses{"127.0.0.1"};
    if (addresses_) addresses = own();
    Contexts all;
    all.files = files_;
    for (const auto& remote : remotes_) {
      for (const auto& address : addresses) {
        for (const auto& port : ports) all.kinds.push_back(fmt::format("{},laddr={},lport={}", remote, address, port));
      }
    }
    all.all = all.kinds.size();
    if (all.all > kMostKinds) all.kinds.resize(kMostKinds);
    return all;
  }

 private:
  void include(const std::vector<std::string>& words, int depth) {
    for (std::size_t i = 1; i < words.size(); ++i) {
      const std::string pattern = words[i].starts_with('/') ? words[i] : "/etc/ssh/" + words[i];
      files_.push_back(pattern.substr(0, pattern.rfind('/')));
      for (const auto& file : files_of(pattern)) {
        struct stat status {};
        if (::stat(file.c_str(), &status) == 0 && S_ISREG(status.st_mode)) read(file, depth + 1);
      }
    }
  }

  void add(const Criteria& criteria) {
    ports_ = ports_ || criteria.ports;
    addresses_ = addresses_ || criteria.addresses;
    for (const auto& remote : criteria.remotes) {
      if (std::find(remotes_.begin(), remotes_.end(), remote) == remotes_.end()) remotes_.push_back(remote);
    }
  }

  // Those that somebody can connect to from elsewhere.
  static std::vector<std::string> own() {
    std::set<std::string> texts;
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) tool::fail_errno(tool::os, "read the host's addresses");
    const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> holder(list, freeifaddrs);
    for (const ifaddrs* one = list; one; one = one->ifa_next) {
      if (!one->ifa_addr || (one->ifa_addr->sa_family != AF_INET && one->ifa_addr->sa_family != AF_INET6)) continue;
      const auto ip = IpAddress::from_sockaddr(*one->ifa_addr);
      if (!ip.is_loopback() && !ip.text().starts_with("fe80:")) texts.insert(ip.text());
    }
    return {texts.begin(), texts.end()};
  }

  std::vector<std::string> files_;
  std::vector<std::string> remotes_{fmt::format("host={0},addr={0}", kOutsider)};
  bool ports_ = false;
  bool addresses_ = false;
};

}  // namespace

Settings parse(std::string_view text) {
  Settings settings;
  for (const auto line : cut::lines(text)) {
    const auto space = line.find(' ');
    if (space != line.npos) settings[small(line.substr(0, space))].emplace_back(line.substr(space + 1));
  }
  return settings;
}

std::string first(const Settings& settings, const std::string& keyword, const std::string& otherwise) {
  const auto found = settings.find(keyword);
  return found == settings.end() ? otherwise : found->second.front();
}

Criteria criteria_of(const std::vector<std::string>& words) {
  Criteria found;
  std::vector<std::string> addresses;
  std::vector<std::string> hosts;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string criterion = small(words[i]);
    if (criterion == "all" || criterion == "invalid-user") continue;
    const std::string values = ++i < words.size() ? words[i] : "";
    if (criterion == "localport") found.ports = true;
    if (criterion == "localaddress") found.addresses = true;
    if (criterion == "address") addresses = samples(values, true);
    if (criterion == "host") hosts = samples(values, false);
  }
  if (addresses.empty() && hosts.empty()) return found;
  if (addresses.empty()) addresses = {kOutsider};
  for (const auto& address : addresses) {
    for (const auto& host : hosts.empty() ? std::vector{address} : hosts)
      found.remotes.push_back(fmt::format("host={},addr={}", host, address));
  }
  return found;
}

const Contexts& contexts() {
  static const Contexts all = [] {
    Reader reader;
    reader.read(kConfig, 0);
    return reader.contexts(parse(doctor::general_settings().text));
  }();
  return all;
}

}  // namespace sshd_contexts
