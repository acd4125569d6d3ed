#include "setup_steps.h"

#include <grp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/accounts.h"
#include "base/cut.h"
#include "base/failure.h"
#include "base/paths.h"
#include "border_plan.h"
#include "doctor.h"
#include "firewall/border.h"
#include "host_keys.h"
#include "kernel.h"
#include "session/spool.h"
#include "setup_config.h"
#include "setup_forward.h"
#include "setup_host.h"
#include "setup_node.h"
#include "setup_original.h"
#include "setup_sshd.h"
#include "setup_takeover.h"
#include "ssh/upstream_host_key.h"
#include "sudo_settings.h"
#include "unit.h"
#include "who/authorized_keys.h"
#include "who/proxy_account.h"

namespace asperaproxy::setup {
namespace {

constexpr char kService[] = "asperaproxy.service";

std::string sample(const std::string& name) { return fmt::format("{}/etc/{}", paths::kPrefix, name); }

std::string sample_text(const std::string& name) {
  const auto text = text_of(sample(name));
  if (!text) throw tool::Failure(tool::os, sample(name) + " is missing: install the suite again");
  return *text;
}

bool unit_is(const char* what, const std::string& unit) {
  return doctor::ask({unit::kSystemctl, "--quiet", what, unit}).well();
}

// --- accounts and sudo ---------------------------------------------------------------------------

// An account that nobody logs in to.
void add_account(Step& step, const char* name) {
  if (accounts::exists(name)) return;
  step.commands.push_back({{"/usr/sbin/useradd", "--system", "--user-group", "--home-dir", "/nonexistent", "--shell",
                            "/usr/sbin/nologin", name}});
  step.undo.push_back({"/usr/sbin/userdel", name});
}

Step accounts_step(const Answers& answers, const Journal&) {
  Step step{"accounts",
            fmt::format("the group {}{}", paths::kGroup, answers.node() ? "" : ", and the accounts without rights")};
  if (!::getgrnam(paths::kGroup)) {
    step.commands.push_back({{"/usr/sbin/groupadd", "--system", paths::kGroup}});
    step.undo.push_back({"/usr/sbin/groupdel", paths::kGroup});
  }
  if (answers.node()) return step;
  add_account(step, paths::kDialAccount);
  if (!answers.forward()) return step;
  add_account(step, paths::kNodeAccount);
  add_account(step, kLeaseAccount);
  return step;
}

Step sudo_step(const Answers&, const Journal&) {
  const std::string grant = "/etc/sudoers.d/sallyport";
  Step step{"sudo", "members of the group may start the two helpers, and nothing else"};
  if (!text_of(grant)) throw tool::Failure(tool::os, grant + " is missing: install the suite again");
  const auto checked = doctor::ask({"/usr/sbin/visudo", "-cqf", grant});
  if (!checked.well())
    throw tool::Failure(tool::os, fmt::format("visudo -cf {}: {}", grant, checked.first_complaint()));
  if (text_of(sudo_settings::kFile) == sudo_settings::text()) return step;
  step.touched.push_back(sudo_settings::kFile);
  step.commands.push_back({{suite_program("asperaproxy"), "sudoers"}});
  return step;
}

// --- the kernel ------------------------------------------------------------------------------------

// Of "net.ipv4.conf.*.send_redirects" those two that are for interfaces to come, and decide together with each one's.
std::vector<std::string> settings_of(std::string_view pattern) {
  const auto star = pattern.find(".*.");
  if (star == pattern.npos) return {std::string(pattern)};
  const auto before = pattern.substr(0, star), after = pattern.substr(star + 2);
  return {fmt::format("{}.all{}", before, after), fmt::format("{}.default{}", before, after)};
}

// What of the file is not in force, as it is now: "net.ipv4.conf.all.rp_filter=0".
std::vector<std::string> other_settings(std::string_view text) {
  std::vector<std::string> found;
  for (const auto line : cut::lines(text)) {
    const auto words = cut::words(line, "= \t");
    if (words.size() < 2 || !words[0].starts_with("net.")) continue;
    for (const auto& setting : settings_of(words[0])) {
      std::string path = "/proc/sys/" + setting;
      std::replace(path.begin(), path.end(), '.', '/');
      const std::string now = doctor::read_file(path);
      if (!now.empty() && cut::trimmed(now) != words[1])
        found.push_back(fmt::format("{}={}", setting, cut::trimmed(now)));
    }
  }
  return found;
}

Step kernel_step(const Answers&, const Journal&) {
  const std::string settings = "/etc/sysctl.d/sallyport.conf";
  Step step{"kernel", "counts bytes, and lets nobody on the network redirect packets"};
  const auto text = text_of(settings);
  if (!text) throw tool::Failure(tool::os, settings + " is missing: install the suite again");
  const auto others = other_settings(*text);
  const bool counts = text_of("/proc/sys/net/netfilter/nf_conntrack_acct").has_value();
  if (!counts) step.commands.push_back({{"/usr/sbin/modprobe", "nf_conntrack"}});
  if (counts && others.empty()) return step;
  step.commands.push_back({{"/usr/sbin/sysctl", "-q", "-p", settings}});
  if (others.empty()) return step;
  step.undo.push_back({"/usr/sbin/sysctl", "-q", "-w"});
  step.undo[0].insert(step.undo[0].end(), others.begin(), others.end());
  return step;
}

// --- the configuration --------------------------------------------------------------------------------

Step key_step(const Answers& answers, const Journal&) {
  const std::string key = squash_key();
  if (answers.squash.empty()) return {"key", "each user has their own key, which asp-adduser makes"};
  Step step{"key", fmt::format("{} logs in to the server", key)};
  if (text_of(key)) return step;
  step.touched = {key, key + ".pub"};
  step.commands.push_back({{"/usr/bin/install", "-d", "-m", "700", key.substr(0, key.rfind('/'))}});
  step.commands.push_back(
      {{"/usr/bin/ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "proxy-to-inside", "-f", key}});
  return step;
}

// The file of the original, where it is elsewhere, comes in the place of ours, but not of one that is in use.
std::string base_text(const Answers& answers, const Journal& journal) {
  const std::string ours = journal.original(paths::kConfig).value_or("");
  if (answers.original.empty()) return ours;
  if (answers.original == paths::kConfig) return take_over(ours).text;
  const auto config = config::parse(ours.empty() ? "<CONF/>" : ours, paths::kConfig);
  if (config.rproxy.enabled || config.proxy.enabled)
    throw tool::Failure(tool::config, fmt::format("{} is in use already: move it away first", paths::kConfig));
  return take_over(text_of(answers.original).value_or("")).text;
}

std::string config_text(const Answers& answers, const Journal& journal) {
  return configured(base_text(answers, journal), answers);
}

Step config_step(const Answers& answers, const Journal& journal) {
  std::vector<std::string> addresses, servers, states;
  for (const auto& address : answers.addresses) addresses.push_back(address.text());
  for (const auto& server : answers.servers) servers.push_back(server.text());
  if (!answers.original.empty()) {
    const auto taken = take_over(journal.original(answers.original).value_or(""));
    for (const auto& one : taken.left_out) states.push_back(fmt::format("left out {}", one));
    states.push_back(fmt::format("taken over from {}", answers.original));
  } else if (answers.reverse())
    states.push_back(fmt::format("clients at {} go to {} as {}", fmt::join(addresses, ", "), fmt::join(servers, ", "),
                                 answers.squash.empty() ? "themselves" : answers.squash));
  if (answers.original.empty() && answers.forward())
    states.push_back(fmt::format("people inside, at {}, go to {}", answers.inside->text(),
                                 answers.destinations.empty()
                                     ? "any but private networks"
                                     : fmt::format("{}", fmt::join(answers.destinations, ", "))));
  if (answers.original.empty() && answers.node())
    states.push_back(
        fmt::format("members of the group {} browse and transfer in {}/NAME", paths::kGroup, answers.docroot));
  Step step{"aspera.conf", fmt::format("{}", fmt::join(states, "; "))};
  step.want({paths::kConfig, config_text(answers, journal)});
  return step;
}

// --- people, the log, cron ----------------------------------------------------------------------------

bool is_enrolled(const Answers& answers) {
  const auto account = proxy_account::find(answers.user);
  if (!account || !account->in_group() || !account->has_shell()) return false;
  const auto words = cut::words(answers.key);
  const auto keys = authorized_keys::read(answers.user).value_or("");
  const bool own = !answers.squash.empty() || text_of(account->home + "/.ssh/id_ed25519").has_value();
  return own && words.size() > 1 && keys.find(words[1]) != keys.npos;
}

Step user_step(const Answers& answers, const Journal&) {
  if (answers.user.empty()) return {"user", "none yet: asp-adduser makes one"};
  Step step{"user", fmt::format("{} logs in with {}", answers.user, fingerprint_of(answers.key))};
  if (is_enrolled(answers)) return step;
  Command enrol{{suite_program("asp-adduser")}, answers.key + "\n"};
  if (!answers.squash.empty()) enrol.argv.emplace_back("-s");
  enrol.argv.insert(enrol.argv.end(), {"-k", "-", answers.user});
  step.commands.push_back(std::move(enrol));
  // asp-deluser takes the keys, too.
  if (accounts::exists(answers.user)) step.touched.push_back(authorized_keys::path_of(answers.user));
  else step.undo.push_back({suite_program("asp-deluser"), answers.user});
  return step;
}

Step log_step(const Answers&, const Journal& journal) {
  const std::string place = "/etc/rsyslog.d/sallyport.conf", rotation = "/etc/logrotate.d/sallyport";
  if (::access("/usr/sbin/rsyslogd", X_OK) != 0) return {"log", "journalctl -t ascp_rproxy"};
  Step step{"log", "/var/log/sallyport.log"};
  for (const auto& [path, name] : {std::pair{place, "rsyslog.d/sallyport.conf"}, {rotation, "logrotate.d/sallyport"}}) {
    if (!text_of(path) || journal.wrote(path)) step.want({path, sample_text(name)});
  }
  if (step.files.empty()) return step;
  const std::vector<std::string> restart = unit::runs_here()
                                               ? std::vector<std::string>{unit::kSystemctl, "try-restart", "rsyslog"}
                                               : std::vector<std::string>{"/etc/init.d/rsyslog", "restart"};
  step.commands.push_back({{"/usr/sbin/rsyslogd", "-N1"}});
  if (unit::runs_here() || ::access(restart[0].c_str(), X_OK) == 0) {
    step.commands.push_back({restart});
    step.undo.push_back(restart);
  }
  return step;
}

bool cron_runs() {
  if (unit::runs_here()) return unit_is("is-active", "cron");
  const std::string pid = doctor::read_file("/run/crond.pid");
  return !pid.empty() && doctor::read_file(fmt::format("/proc/{}/comm", cut::trimmed(pid))) == "cron\n";
}

Step cron_step(const Answers&, const Journal&) {
  const std::string table = "/etc/cron.d/sallyport";
  Step step{"cron", "asp-reap runs every minute"};
  if (!text_of(table)) throw tool::Failure(tool::os, table + " is missing: install the suite again");
  if (cron_runs()) return step;
  if (!unit::runs_here()) {
    step.commands.push_back({{"/etc/init.d/cron", "start"}});
    step.undo.push_back({"/etc/init.d/cron", "stop"});
    return step;
  }
  step.commands.push_back({{unit::kSystemctl, "--quiet", "enable", "--now", "cron"}});
  step.undo.push_back({unit::kSystemctl, "stop", "cron"});
  if (!unit_is("is-enabled", "cron")) step.undo.push_back({unit::kSystemctl, "--quiet", "disable", "cron"});
  return step;
}

// --- the border and the service ----------------------------------------------------------------------------

// Flows are to be seen only where something of the host's has the kernel track them.
void refuse_cut(const Answers& answers, const config::Config& config, const firewall::border::Plan& plan) {
  if (!config.border || answers.border == Border::yes || !forwards_for_others()) return;
  const auto flows = border_plan::cut_by(plan);
  throw tool::Failure(tool::not_permitted,
                      fmt::format("this host forwards for others{}, and would stop that between its networks: give "
                                  "--border yes if that is right, or --border no to keep it a router for everybody",
                                  flows.empty() ? "" : fmt::format(" now ({})", doctor::listed(flows))));
}

bool runs() {
  if (session::spool::stopped() || !forwards(AF_INET)) return false;
  return !unit::runs_here() || (unit_is("is-active", kService) && unit_is("is-enabled", kService));
}

// When ip_forward changes, the kernel sets accept_redirects, too.
std::vector<std::string> stop_forwarding() {
  const std::string redirects = doctor::read_file("/proc/sys/net/ipv4/conf/all/accept_redirects");
  return {"/usr/sbin/sysctl", "-q", "-w", "net.ipv4.ip_forward=0",
          fmt::format("net.ipv4.conf.all.accept_redirects={}", cut::trimmed(redirects))};
}

Step service_step(const Answers& answers, const Journal& journal) {
  const auto config = config::parse(config_text(answers, journal), paths::kConfig);
  std::vector<std::string> left;
  const auto plan = border_plan::plan(config, left);
  Step step{"service", config.border ? fmt::format("runs; nothing but sessions and leases is forwarded ({})",
                                                   border_plan::shown(plan))
                                     : "runs; this host forwards for everybody (<border>false</border>)"};
  const auto border = firewall::border::recorded();
  if (runs() && (!config.border || (border && !border->is_open()))) return step;
  refuse_cut(answers, config, plan);
  if (unit::runs_here()) {
    step.commands.push_back({{unit::kSystemctl, "daemon-reload"}});
    step.commands.push_back({{unit::kSystemctl, "--quiet", "enable", kService}});
  }
  step.commands.push_back({{suite_program("asperaproxy"), "start"}});
  step.undo.push_back({suite_program("asperaproxy"), "leave"});
  if (unit::runs_here() && !unit_is("is-enabled", kService))
    step.undo.push_back({unit::kSystemctl, "--quiet", "disable", kService});
  if (!forwards(AF_INET)) step.undo.push_back(stop_forwarding());
  if (has_ipv6() && !forwards(AF_INET6))
    step.undo.push_back({"/usr/sbin/sysctl", "-q", "-w", "net.ipv6.conf.all.forwarding=0"});
  return step;
}

// --- host keys ---------------------------------------------------------------------------------------------

bool is_trusted(const HostPort& server, const std::string& known_hosts) {
  const auto entries = known_hosts::find(known_hosts, upstream::known_hosts_name(server));
  return !known_hosts::types(entries.of_host).empty();
}

// By a fingerprint that the administrator gave, or by asking.
Command trust(const HostPort& server, const Answers& answers) {
  const bool asks = answers.prints.empty();
  std::vector<std::string> argv{suite_program("asperaproxy"), "trust"};
  std::vector<std::string> shown;
  for (const auto& key : host_keys::scan(server, false)) shown.push_back(host_keys::fingerprint(key));
  const std::string shows = fmt::format("{} shows {}", server.text(), fmt::join(shown, ", "));
  if (asks && !has_terminal())
    throw tool::Failure(tool::usage, "there is no terminal to ask on: --fingerprint is needed; " + shows);
  if (!asks) {
    const auto known = std::find_first_of(shown.begin(), shown.end(), answers.prints.begin(), answers.prints.end());
    if (known == shown.end())
      throw tool::Failure(tool::untrusted,
                          fmt::format("{}, and --fingerprint says {}. On the server's console, ssh-keygen -lf "
                                      "/etc/ssh/ssh_host_ed25519_key.pub prints the right one; give that",
                                      shows, fmt::join(answers.prints, ", ")));
    argv.insert(argv.end(), {"--fingerprint", *known});
  }
  argv.push_back(server.text());
  return {argv, {}, asks};
}

Step host_keys_step(const Answers& answers, const Journal& journal) {
  const auto config = config::parse(config_text(answers, journal), paths::kConfig);
  const std::string& file = config.rproxy.known_hosts;
  const std::string known = host_keys::load(file);
  Step step{"host keys", fmt::format("{} has those of the servers", file)};
  for (const auto& server : answers.servers) {
    if (!is_trusted(server, known)) step.commands.push_back(trust(server, answers));
  }
  if (!step.commands.empty()) step.touched.push_back(file);
  return step;
}

}  // namespace

const std::vector<Maker>& steps() {
  using Origin = Maker::Origin;
  static const std::vector<Maker> all{{"accounts", accounts_step, kProxy | kNode},
                                      {"sudo", sudo_step, kReverse},
                                      {"kernel", kernel_step, kProxy},
                                      {"key", key_step, kReverse, Origin::fresh},
                                      {"aspera.conf", config_step, kProxy | kNode},
                                      {"sshd", sshd_step, kReverse | kNode},
                                      {"user", user_step, kReverse, Origin::fresh},
                                      {"account", node_account_step, kNode},
                                      {"proxy key", node_key_step, kNode},
                                      {"docroot", docroot_step, kNode},
                                      {"users", members_step, kReverse, Origin::original},
                                      {"old grants", old_grants_step, kReverse, Origin::original},
                                      {"node user", node_user_step, kForward},
                                      {"log", log_step, kProxy | kNode},
                                      {"cron", cron_step, kProxy},
                                      {"service", service_step, kProxy},
                                      {"node service", node_service_step, kForward},
                                      {"host keys", host_keys_step, kReverse}};
  return all;
}

}  // namespace asperaproxy::setup
