// check: the doctor.
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include <fmt/core.h>

#include "base/child.h"
#include "base/env.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/options.h"
#include "base/paths.h"
#include "doctor.h"
#include "verbs.h"

namespace doctor {
namespace {

constexpr int kSeconds = 20;
constexpr std::size_t kMaxOutput = 64 * 1024 * 1024;
constexpr std::size_t kMaxFile = 16 * 1024 * 1024;
constexpr char kGroup[] = "sallyport";

// Members by /etc/group, and accounts whose primary group it is.
std::vector<std::string> members_of(const group& found) {
  std::set<std::string> users;
  for (char** member = found.gr_mem; *member; ++member) users.insert(*member);
  const gid_t gid = found.gr_gid;
  ::setpwent();
  while (const passwd* entry = ::getpwent()) {
    if (entry->pw_gid == gid) users.insert(entry->pw_name);
  }
  ::endpwent();
  return {users.begin(), users.end()};
}

bool may_serve_ipv6(const config::Rule& rule) {
  if (rule.host_ip) return !rule.host_ip->base.is_v4();
  return std::any_of(rule.hosts.begin(), rule.hosts.end(), [](const HostPort& host) {
    const auto ip = IpAddress::parse(host.host);
    return ip && !ip->is_v4();
  });
}

}  // namespace

bool may_serve_ipv6(const config::Rproxy& rproxy) {
  return std::any_of(rproxy.rules.begin(), rproxy.rules.end(),
                     [](const config::Rule& rule) { return may_serve_ipv6(rule); });
}

Patient examine() {
  Patient patient;
  try {
    auto config = config::load(paths::kConfig, config::Author::root);
    patient.config = config;
    patient.rproxy = std::move(config.rproxy);
    patient.proxy = std::move(config.proxy);
    patient.node = std::move(config.node);
    if (config.cluster.enabled) patient.cluster = std::move(config.cluster);
    patient.uses_ipv6 = may_serve_ipv6(*patient.rproxy);
  } catch (const tool::Failure& failure) {
    patient.config_error = failure.what();
  }
  if (const group* const found = ::getgrnam(kGroup)) {
    patient.has_group = true;
    patient.users = members_of(*found);
  }
  const auto sshd = ask({"/usr/sbin/sshd", "-T"});
  if (sshd.well()) patient.sshd_settings = sshd.out;
  else patient.sshd_error = sshd.first_complaint();
  return patient;
}

std::string Answer::first_complaint() const {
  const std::string& text = err.empty() ? out : err;
  const std::string line = text.substr(0, text.find('\n'));
  return line.empty() ? fmt::format("exit status {}", status) : line;
}

Answer ask(const std::vector<std::string>& argv) {
  try {
    const auto output = child::run({argv, env::allow({}), {}}, "", kMaxOutput, kSeconds);
    return {output.status, output.out, output.err};
  } catch (const tool::Failure& failure) {
    return {127, "", failure.what()};
  }
}

std::string read_file(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  return file ? io::read_all(file.get(), kMaxFile, path) : "";
}

std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t kShownNames = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(kShownNames, names.size()); ++i) text += (i > 0 ? ", " : "") + names[i];
  if (names.size() > kShownNames) text += fmt::format(" and {} more", names.size() - kShownNames);
  return text;
}

}  // namespace doctor

namespace asperaproxy {

int check(const std::vector<std::string>& words) {
  const bool json = words == std::vector<std::string>{"--json"};
  if (!words.empty() && !json)
    options::fail_usage("asperaproxy check [--json]", fmt::format("'{}' is not known", words[0]));
  require_root();
  const auto patient = doctor::examine();
  std::vector<doctor::Finding> findings;
  for (const auto* conditions :
       {&doctor::system_conditions(), &doctor::firewall_conditions(), &doctor::account_conditions(),
        &doctor::sshd_conditions(), &doctor::server_conditions(), &doctor::forward_conditions(),
        &doctor::cluster_conditions()}) {
    for (const auto& condition : *conditions) {
      try {
        for (auto& verdict : condition.look(patient)) findings.push_back({condition.name, std::move(verdict)});
      } catch (const tool::Failure& failure) {
        findings.push_back({condition.name, doctor::fail(failure.what(), "mend that, and check again")});
      }
    }
  }
  io::write_all(STDOUT_FILENO, json ? doctor::json(findings) : doctor::text(findings));
  return doctor::any_failed(findings) ? tool::no : tool::yes;
}

}  // namespace asperaproxy
