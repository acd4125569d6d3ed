// check: the doctor.
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/child.h"
#include "base/cut.h"
#include "base/env.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/logging.h"
#include "base/options.h"
#include "base/paths.h"
#include "confirm.h"
#include "doctor.h"
#include "security_report.h"
#include "ssh/upstream_command.h"
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
  patient.sshd_settings = general_settings().text;
  patient.sshd_error = general_settings().error;
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

const Answer& ask_once(const std::vector<std::string>& argv) {
  static std::map<std::vector<std::string>, Answer> known;
  const auto found = known.find(argv);
  return found != known.end() ? found->second : known.emplace(argv, ask(argv)).first->second;
}

std::string read_file(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  return file ? io::read_all(file.get(), kMaxFile, path) : "";
}

Steps cure_of_root_only(const std::string& path) {
  if (::access(path.c_str(), F_OK) != 0) return {{"apt-get", "install", "--reinstall", "sallyport"}};
  return {{"chown", "root", path}, {"chmod", "go-w", path}};
}

std::string command_at(const std::string& path, Steps::value_type words) {
  struct stat status {};
  bool is_there = true;
  uid_t owner = 0;
  for (std::size_t end = 0; owner == 0 && is_there && end != path.npos;) {
    end = path.find('/', end + 1);
    is_there = ::lstat(path.substr(0, end).c_str(), &status) == 0;
    if (is_there) owner = status.st_uid;
  }
  if (owner == 0) return upstream::shell_command(words);
  constexpr gid_t kNoGroup = 65534;
  const passwd* const account = ::getpwuid(owner);
  words.insert(words.begin(), {"setpriv", fmt::format("--reuid={}", owner),
                               fmt::format("--regid={}", account ? account->pw_gid : kNoGroup), "--clear-groups"});
  return upstream::shell_command(words);
}

std::string for_each(const std::vector<std::string>& names, std::vector<std::string> words) {
  const auto user = std::find(words.begin(), words.end(), "USER");
  std::string text;
  for (const auto& name : names) {
    *user = name;
    text += (text.empty() ? "" : "; ") + upstream::shell_command(words);
  }
  return text;
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

namespace {

using doctor::Finding;

constexpr char kCheckUsage[] = "asperaproxy check [--json | --fix [--yes]] [--without name,...]";

using Subjects = std::vector<const std::vector<doctor::Condition>*>;

Subjects all_subjects() {
  return {&doctor::system_conditions(),  &doctor::firewall_conditions(), &doctor::account_conditions(),
          &doctor::sshd_conditions(),    &doctor::server_conditions(),   &doctor::forward_conditions(),
          &doctor::cluster_conditions(), &doctor::node_conditions(),     &doctor::security_conditions()};
}

bool is_condition(const std::string& name) {
  for (const auto* conditions : all_subjects()) {
    if (std::any_of(conditions->begin(), conditions->end(), [&](const auto& one) { return one.name == name; }))
      return true;
  }
  return false;
}

// `without` are those that are not looked at.
std::vector<Finding> findings_of(const doctor::Patient& patient, const std::set<std::string>& without) {
  std::vector<Finding> findings;
  for (const auto* conditions : doctor::is_node_only(patient) ? Subjects{&doctor::node_conditions()} : all_subjects()) {
    for (const auto& condition : *conditions) {
      if (without.contains(condition.name)) continue;
      try {
        for (auto& verdict : condition.look(patient)) findings.push_back({condition.name, std::move(verdict)});
      } catch (const tool::Failure& failure) {
        findings.push_back({condition.name, doctor::fail(failure.what(), "asperaproxy check  # once that is mended")});
      }
    }
  }
  return findings;
}

std::string path_of(const std::string& program) {
  for (const char* folder : {paths::kBin, "/usr/sbin/", "/usr/bin/"}) {
    if (const std::string path = folder + program; ::access(path.c_str(), X_OK) == 0) return path;
  }
  return "/usr/bin/" + program;
}

// False: a command failed, which says why.
bool carry_out(const doctor::Steps& steps) {
  for (auto step : steps) {
    step[0] = path_of(step[0]);
    const auto answer = doctor::ask(step);
    if (answer.well()) continue;
    io::write_all(STDOUT_FILENO, fmt::format("  {}\n", logging::escape(answer.first_complaint())));
    return false;
  }
  return true;
}

// What can be mended without a loss; a cure that several findings have is offered once. The rest is for a person.
void fix(const std::vector<Finding>& findings, bool asks) {
  std::set<std::string> offered;
  for (const auto& finding : findings) {
    const auto& verdict = finding.verdict;
    if (verdict.steps.empty() || !offered.insert(verdict.cure).second) continue;
    io::write_all(STDOUT_FILENO, doctor::text({finding}));
    if (asks && !confirm("Do that? (yes/no) ", "give --yes")) continue;
    if (carry_out(verdict.steps)) logging::event("Mended {}: {}", finding.name, logging::escape(verdict.cure));
  }
}

}  // namespace

int check(const std::vector<std::string>& words) {
  static const option kTable[] = {{"json", no_argument, nullptr, 'j'},
                                  {"fix", no_argument, nullptr, 'f'},
                                  {"yes", no_argument, nullptr, 'y'},
                                  {"without", required_argument, nullptr, 'w'},
                                  {nullptr, 0, nullptr, 0}};
  const auto options = options::parse(words, kTable, kCheckUsage);
  if (!options.operands.empty())
    options::fail_usage(kCheckUsage, fmt::format("'{}' is not known", fmt::join(options.operands, " ")));
  const bool json = options.has('j'), fixes = options.has('f');
  if (json && fixes) options::fail_usage(kCheckUsage, "--json and --fix exclude each other");
  if (options.has('y') && !fixes) options::fail_usage(kCheckUsage, "--yes is for --fix");
  std::set<std::string> without;
  const std::string names = options.get('w', "");
  for (const auto name : cut::words(names, ",")) {
    if (!is_condition(std::string(name)))
      options::fail_usage(kCheckUsage, fmt::format("--without: there is no condition '{}'", name));
    without.emplace(name);
  }
  require_root();
  const auto findings = findings_of(doctor::examine(), without);
  if (fixes) {
    fix(findings, !options.has('y'));
    child::replace({{std::string(paths::kBin) + "asperaproxy", "check"}, env::allow({}), {}});
  }
  io::write_all(STDOUT_FILENO, json ? doctor::json(findings) : doctor::text(findings));
  return doctor::any_failed(findings) ? tool::no : tool::yes;
}

int audit(const std::vector<std::string>& words) {
  bool all = false;
  bool json = false;
  for (const auto& word : words) {
    if (word == "-v" || word == "--verbose") all = true;
    else if (word == "--json") json = true;
    else options::fail_usage(kAuditUsage, fmt::format("{}: no such option", word));
  }
  require_root();
  const auto patient = doctor::examine();
  if (!patient.sshd_error.empty())
    throw tool::Failure(tool::os, fmt::format("ask sshd (sshd -T): {}", patient.sshd_error));
  const auto& report = security::report(patient);
  io::write_all(STDOUT_FILENO, json ? security::json(report, all) : security::text(report, all));
  return report.findings.empty() ? tool::yes : tool::no;
}

}  // namespace asperaproxy
