#include "setup_remains.h"

#include <algorithm>
#include <set>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/accounts.h"
#include "base/cut.h"
#include "base/paths.h"
#include "config/config.h"
#include "setup_config.h"
#include "setup_forward.h"
#include "setup_host.h"
#include "setup_journal.h"
#include "tried_as.h"

namespace asperaproxy::setup {
namespace {

// Ours, on the way to the servers; and theirs.
struct Ends {
  std::set<std::string> ours;
  std::vector<std::string> theirs;
};

Ends ends_of(const HostPort& server) {
  Ends ends;
  for (const auto& address : addresses_of(server)) {
    if (const auto own = address_towards(address)) ends.ours.insert(own->text());
    ends.theirs.push_back(address.text());
  }
  if (ends.theirs.empty()) ends.theirs.push_back(server.host);
  if (ends.ours.empty()) ends.ours.insert("the proxy");
  return ends;
}

std::string joined(const auto& texts) { return fmt::format("{}", fmt::join(texts, ", ")); }

std::string public_key(const Answers& answers) {
  const auto read = [](const std::string& file) { return text_of(file + ".pub").value_or(""); };
  // The user's own file is read as the user: a link of theirs leads root nowhere.
  const std::string text =
      answers.squash.empty()
          ? tried_as::ask(answers.user, [&] { return read(accounts::home_of(answers.user) + "/.ssh/id_ed25519"); })
          : read(squash_key());
  const auto words = cut::words(text);
  const bool is_key = cut::lines(text).size() == 1 && words.size() > 1 && !fingerprint_of(text).empty();
  return is_key ? std::string(cut::trimmed(text)) : "KEY    (asp-adduser prints it)";
}

std::string keys_part(const Answers& answers) {
  if (!answers.original.empty())
    return "On the servers: the public half of the <keyfile> of each rule, in authorized_keys of its account.\n\n";
  if (answers.squash.empty() && answers.user.empty())
    return "On the servers: an account for each user, with the key that asp-adduser prints.\n";
  const std::string account = answers.squash.empty() ? answers.user : answers.squash;
  std::string text;
  for (const auto& server : answers.servers) {
    const auto ends = ends_of(server);
    text += fmt::format("On {}, as one line in ~{}/.ssh/authorized_keys:\n\n{}\n\n", server.host, account,
                        authorized_line({ends.ours.begin(), ends.ours.end()}, public_key(answers)));
  }
  return text;
}

std::string sshd_part(const Answers& answers) {
  std::set<std::string> ours;
  for (const auto& server : answers.servers) ours.merge(ends_of(server).ours);
  return fmt::format("In sshd_config there, since all users come from one address:\n\nMaxStartups 300:30:600\n"
                     "PerSourcePenaltyExemptList {}    (OpenSSH 9.8 and later)\n\n",
                     fmt::join(ours, ","));
}

void add_reverse(std::vector<Passage>& found, const Answers& answers) {
  std::vector<std::string> addresses;
  for (const auto& address : answers.addresses) addresses.push_back(address.text());
  found.push_back({"outer", "clients", joined(addresses), "TCP 33001, UDP 33001"});
  for (const auto& server : answers.servers) {
    const auto ends = ends_of(server);
    found.push_back({"inner", joined(ends.ours), joined(ends.theirs), fmt::format("TCP {}, UDP 33001", server.port)});
  }
}

void add_forward(std::vector<Passage>& found, const Answers& answers) {
  const std::string inside = answers.inside->text();
  found.push_back({"inner", "people inside", inside, fmt::format("TCP {}", node_port())});
  const auto proxy = config::load(paths::kConfig, config::Author::root).proxy;
  found.push_back({"inner", "people inside", inside,
                   fmt::format("TCP and UDP {}-{}", proxy.port_range_low, proxy.port_range_high)});
  found.push_back({"outer", "this host",
                   answers.destinations.empty() ? "servers outside" : joined(answers.destinations),
                   "their SSH port, UDP 33001"});
}

std::string forward_part(const Answers& answers) {
  const std::string user = answers.node_user.empty() ? "NAME" : answers.node_user;
  return fmt::format("For {} (asp-forward and asp-cp on that machine; HOST is the server):\n\nasp-forward --proxy "
                     "dnats://{}@{} --fingerprint {} --to HOST -- asp-cp -P %P -O %O FILE USER@%h:\n\n",
                     user, user, HostPort{answers.inside->text(), node_port()}.text(), certificate_print());
}

}  // namespace

std::string table(const std::vector<Passage>& passages) {
  std::vector<Passage> rows{{"firewall", "from", "to", "ports"}};
  rows.insert(rows.end(), passages.begin(), passages.end());
  std::size_t firewall = 0, from = 0, to = 0;
  for (const auto& row : rows) {
    firewall = std::max(firewall, row.firewall.size());
    from = std::max(from, row.from.size());
    to = std::max(to, row.to.size());
  }
  std::string text;
  for (const auto& row : rows)
    text += fmt::format("{:<{}}  {:<{}}  {:<{}}  {}\n", row.firewall, firewall, row.from, from, row.to, to, row.ports);
  return text;
}

std::string authorized_line(const std::vector<std::string>& from, const std::string& key) {
  return fmt::format("from=\"{}\",restrict {}", fmt::join(from, ","), key);
}

std::string remains(const Answers& answers, bool let_in) {
  std::vector<Passage> passages;
  std::string text = "\nWhat remains for others to do:\n\n";
  if (answers.reverse()) {
    if (!let_in) text += keys_part(answers);
    text += sshd_part(answers);
    if (!answers.user.empty())
      text += fmt::format("For {}: asp-cp -P 33001 FILE {}@{}:\n\n", answers.user, answers.user,
                          HostPort{answers.addresses[0].text(), 0}.text());
    add_reverse(passages, answers);
  }
  if (answers.forward()) {
    text += forward_part(answers);
    add_forward(passages, answers);
  }
  return text + "The firewalls have to let this through, and the answers to it:\n\n" + table(passages);
}

}  // namespace asperaproxy::setup
