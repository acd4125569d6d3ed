#include "sheet.h"

#include <unistd.h>

#include <algorithm>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/accounts.h"
#include "base/cut.h"
#include "base/failure.h"
#include "base/io.h"
#include "base/options.h"
#include "base/paths.h"
#include "config/config.h"
#include "doctor.h"
#include "host_keys.h"
#include "judge.h"
#include "session/rules.h"
#include "setup_host.h"
#include "sshd_contexts.h"
#include "verbs.h"
#include "who/authorized_keys.h"
#include "who/proxy_account.h"

namespace sheet {
namespace {

std::string ports_text(const PortRange& ports) {
  return ports.low == ports.high ? std::to_string(ports.low) : fmt::format("{}-{}", ports.low, ports.high);
}

std::string line(const char* name, const std::string& value) { return fmt::format("  {:<9} {}\n", name, value); }

// In a URL and behind a user's name an IPv6 address stands in brackets.
std::string in_brackets(const std::string& host) {
  return host.find(':') != host.npos ? fmt::format("[{}]", host) : host;
}

std::string facts_part(const Facts& facts) {
  std::string text;
  for (const auto& place : facts.places) {
    text += line("Host", place.host);
    text += line("Data", fmt::format("UDP {}, both ways", ports_text(place.udp)));
  }
  text += line("SSH", fmt::format("TCP {}", fmt::join(facts.ssh_ports, ", ")));
  text += line("User", facts.user);
  for (const auto& key : facts.host_keys) text += line("Host key", key);
  for (const auto& key : facts.user_keys) text += line("Your key", key);
  return text;
}

std::string key_part(const Facts& facts) {
  if (!facts.user_keys.empty()) return "1. Your key is enrolled. Nobody else may have its private half.\n";
  return "1. Make a key pair, and send us the file transfer_key.pub. Keep transfer_key, and give it to nobody:\n\n"
         "     ssh-keygen -t ed25519 -f transfer_key\n";
}

}  // namespace

std::string text_of(const Facts& facts) {
  const Place& first = facts.places.front();
  const Port ssh = facts.ssh_ports.front();
  const std::string key = facts.user_keys.empty() ? "transfer_key" : "YOUR_KEY";
  return fmt::format(
      "Access for {}\n\n{}\n{}\n"
      "2. Let your firewall send TCP {} and UDP {} to {}, and let the answers in.\n\n"
      "3. Try it with one of these. The first time, SSH shows the host's key: it has to be one of those above.\n\n"
      "     asp-cp -P {} -i {} FILE {}@{}:\n"
      "     ascp -P {} -O {} -i {} FILE {}@{}:\n\n"
      "If it does not work, this says how far it gets, and whom to ask for what:\n\n"
      "     asp-cp --check -P {} -O {} -i {} {}@{}\n\n"
      "\"Permission denied\" means that the key or the user's name is not the right one. If there is no answer at "
      "all,\n"
      "something on the way blocks TCP; if a transfer begins and then stands still, UDP. Tell us the time and your\n"
      "address.\n",
      facts.user, facts_part(facts), key_part(facts), fmt::join(facts.ssh_ports, ", "), ports_text(first.udp),
      first.host, ssh, key, facts.user, in_brackets(first.host), ssh, first.udp.low, key, facts.user,
      in_brackets(first.host), ssh, first.udp.low, key, facts.user, in_brackets(first.host));
}

}  // namespace sheet

namespace asperaproxy {
namespace {

// "ssh-ed25519 SHA256:…" of each key, a line each; what stands before a key's type is left out.
std::vector<std::string> shown(std::string_view keys) {
  std::vector<std::string> all;
  for (const auto& key : host_keys::parse_scan(keys))
    all.push_back(fmt::format("{} {}", key.type, host_keys::fingerprint(key)));
  return all;
}

std::vector<std::string> keys_of_host(const sshd_contexts::Settings& sshd) {
  std::string keys;
  const auto files = sshd.find("hostkey");
  if (files == sshd.end()) return {};
  for (const auto& file : files->second) keys += "host " + doctor::read_file(file + ".pub") + "\n";
  return shown(keys);
}

std::vector<std::string> keys_of_user(const std::string& user) {
  std::string keys;
  if (!proxy_account::is_name(user)) return {};
  const std::string text = authorized_keys::read(user).value_or("");
  for (const auto line : cut::lines(text)) keys += fmt::format("user {}\n", line);
  return shown(keys);
}

std::vector<sheet::Place> places_of(const std::string& user) {
  const auto rproxy = config::load(paths::kConfig, config::Author::root).rproxy;
  std::vector<sheet::Place> places;
  for (const auto& rule : rproxy.rules) {
    if (!session::rules::is_for(rule, user, {accounts::groups_of, {}})) continue;
    const bool kept = rule.proxy_port == 0 || !rule.udp_port_reuse;
    const PortRange udp = kept ? rule.udp_port_range : PortRange{rule.proxy_port, rule.proxy_port};
    for (const auto& address : setup::addresses_outside(rule.hosts)) {
      const sheet::Place place{address.text(), udp};
      const bool there = !rule.host_ip || rule.host_ip->contains(address);
      if (there && std::find(places.begin(), places.end(), place) == places.end()) places.push_back(place);
    }
  }
  if (places.empty())
    throw tool::Failure(tool::config, fmt::format("no rule of aspera.conf is for {} at an address of this host", user));
  return places;
}

}  // namespace

int sheet(const std::vector<std::string>& words) {
  if (words.size() != 1) options::fail_usage("asperaproxy sheet USER", "the name of a user is needed");
  require_root();
  const std::string& user = words[0];
  if (!accounts::exists(user))
    throw tool::Failure(tool::bad_input,
                        fmt::format("there is no account {}: asp-adduser -s -k KEY {} makes it", user, user));
  const std::string settings = doctor::settings_of(user);
  sheet::Facts facts;
  facts.user = user;
  facts.places = places_of(user);
  for (const Port port : doctor::ssh_ports(settings)) facts.ssh_ports.push_back(port);
  facts.host_keys = keys_of_host(sshd_contexts::parse(settings));
  facts.user_keys = keys_of_user(user);
  io::write_all(STDOUT_FILENO, sheet::text_of(facts));
  return tool::yes;
}

}  // namespace asperaproxy
