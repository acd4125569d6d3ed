#include "setup_remains.h"

#include <algorithm>
#include <set>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/accounts.h"
#include "base/cut.h"
#include "base/paths.h"
#include "setup_config.h"
#include "setup_host.h"
#include "setup_journal.h"

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
  const std::string file =
      answers.squash.empty() ? accounts::home_of(answers.user) + "/.ssh/id_ed25519.pub" : squash_key() + ".pub";
  const std::string text = text_of(file).value_or("");
  return std::string(cut::trimmed(text));
}

std::string keys_part(const Answers& answers) {
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

std::vector<Passage> passages(const Answers& answers) {
  std::vector<Passage> found{
      {"outer", "clients", "", "TCP 33001, UDP 33001"},
  };
  std::vector<std::string> addresses;
  for (const auto& address : answers.addresses) addresses.push_back(address.text());
  found[0].to = joined(addresses);
  for (const auto& server : answers.servers) {
    const auto ends = ends_of(server);
    found.push_back({"inner", joined(ends.ours), joined(ends.theirs), fmt::format("TCP {}, UDP 33001", server.port)});
  }
  return found;
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
  std::string text = "\nWhat remains, for others to do:\n\n";
  if (!let_in) text += keys_part(answers);
  text += sshd_part(answers);
  text += "The firewalls have to let through, and what answers it:\n\n" + table(passages(answers));
  if (!answers.user.empty())
    text += fmt::format("\nFor {}: asp-cp -P 33001 FILE {}@{}:\n", answers.user, answers.user,
                        HostPort{answers.addresses[0].text(), 0}.text());
  return text;
}

}  // namespace asperaproxy::setup
