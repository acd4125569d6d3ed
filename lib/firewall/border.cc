#include "firewall/border.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/cut.h"
#include "base/decimal.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/paths.h"
#include "base/record.h"
#include "base/whole_file.h"
#include "kernel/connmark.h"
#include "kernel/nft.h"
#include "kernel/nft_listing.h"

namespace firewall::border {
namespace {

constexpr char kTable[] = "inet sallyport_border";
constexpr char kForwarded[] = "forwarded";
constexpr char kBounded[] = "bounded";
// The kernel forgets flows that it counted, but were dropped, only a few at a time; so they must not come faster.
constexpr char kRate[] = "limit rate over 100/second burst 200 packets";
constexpr std::size_t kMaxRecord = 8192;

std::string record_path() { return fmt::format("{}/border", paths::kRun); }

bool is_bridge(const std::string& interface) {
  return ::access(fmt::format("/sys/class/net/{}/bridge", interface).c_str(), F_OK) == 0;
}

struct Rule {
  std::string text;
  std::string comment;  // by which it is recognized, whole
};

void add_side(std::vector<Rule>& rules, const Side& side, const char* family) {
  if (side.interfaces.empty()) return;
  for (const char* by : {"snat", "dnat"}) {
    if (!side.strict)
      rules.push_back(
          {fmt::format("meta nfproto {} ct status {} accept", family, by), fmt::format("{} {}", family, by)});
  }
  for (const auto& from : side.interfaces) {
    std::vector<std::string> to;
    for (const auto& name : side.interfaces) {
      if (can_name(name) && (name != from || !is_bridge(from))) to.push_back(name);
    }
    if (!can_name(from) || to.empty()) continue;
    constexpr std::size_t kMaxComment = 120;  // the kernel's is 127
    rules.push_back(
        {fmt::format("meta nfproto {} iifname \"{}\" oifname {{ \"{}\" }} drop", family, from, fmt::join(to, "\", \"")),
         fmt::format("{} {} to {}", family, from, fmt::join(to, " ")).substr(0, kMaxComment)});
  }
}

std::vector<Rule> forwarding_rules(const Plan& plan) {
  std::vector<Rule> rules;
  rules.push_back({fmt::format("ct mark & {0:#x} == {0:#x} accept", connmark::kSuite), "sallyport"});
  add_side(rules, plan.v4, "ipv4");
  add_side(rules, plan.v6, "ipv6");
  return rules;
}

std::vector<Rule> bounding_rules(unsigned flows) {
  std::vector<Rule> rules;
  rules.push_back({fmt::format("ct mark & {0:#x} != {0:#x} accept", connmark::kSuite), "others"});
  for (const auto& [digit, client] :
       {std::pair{'4', "ct original ip saddr"}, {'6', "ct original ip6 saddr and ffff:ffff:ffff:ffff::"}}) {
    rules.push_back(
        {fmt::format("meta nfproto ipv{0} update @rate{0} {{ {1} {2} }} counter drop", digit, client, kRate),
         fmt::format("ipv{} rate", digit)});
    rules.push_back({fmt::format("meta nfproto ipv{0} add @flows{0} {{ {1} ct count over {2} }} counter drop", digit,
                                 client, flows),
                     fmt::format("ipv{} flows {}", digit, flows)});
  }
  return rules;
}

struct Chain {
  std::string name;
  std::string type;
  std::string hook;
  int priority;
  std::vector<Rule> rules;
};

std::vector<Chain> chains_of(const Plan& plan) {
  std::vector<Chain> chains{{kForwarded, "filter", "forward", 10, forwarding_rules(plan)}};
  if (plan.flows_per_client != 0)
    chains.push_back({kBounded, "nat", "postrouting", -150, bounding_rules(plan.flows_per_client)});
  return chains;
}

// An element of flows… goes when its last flow has gone; nft takes no timeout there.
std::string sets_text() {
  std::string text;
  for (const char digit : {'4', '6'}) {
    text += fmt::format("add set {0} rate{1} {{ type ipv{1}_addr; size 65535; flags dynamic,timeout; timeout 1m; }}\n"
                        "add set {0} flows{1} {{ type ipv{1}_addr; size 65535; flags dynamic; }}\n",
                        kTable, digit);
  }
  return text;
}

std::string purge() { return fmt::format("add table {0}\ndelete table {0}\n", kTable); }

void add_side(Record& record, const Side& side, const char* family) {
  record.add(fmt::format("{}_strict", family), side.strict ? "yes" : "no");
  record.add(fmt::format("{}_interfaces", family), fmt::format("{}", fmt::join(side.interfaces, " ")));
}

Side side_of(const Record& record, const char* family) {
  Side side;
  side.strict = record.require(fmt::format("{}_strict", family)) == "yes";
  const std::string interfaces = record.require(fmt::format("{}_interfaces", family));
  for (const auto interface : cut::words(interfaces)) side.interfaces.emplace(interface);
  return side;
}

void put_on_record(const Plan& plan) {
  Record record;
  add_side(record, plan.v4, "ipv4");
  add_side(record, plan.v6, "ipv6");
  record.add("flows_per_client", std::to_string(plan.flows_per_client));
  whole_file::write(record_path(), record.text());
}

}  // namespace

// nft takes a * at the end for any name that begins so, and a quotation mark for the end of the name.
bool can_name(std::string_view interface) {
  return !interface.empty() && std::all_of(interface.begin(), interface.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-' || c == '@' || c == ':';
  });
}

bool Side::covers(const Side& other) const {
  return (strict || !other.strict) &&
         std::includes(interfaces.begin(), interfaces.end(), other.interfaces.begin(), other.interfaces.end());
}

std::string text(const Plan& plan) {
  std::string text = purge() + fmt::format("add table {}\n", kTable);
  if (plan.flows_per_client != 0) text += sets_text();
  for (const auto& chain : chains_of(plan)) {
    text += fmt::format("add chain {} {} {{ type {} hook {} priority {}; policy accept; }}\n", kTable, chain.name,
                        chain.type, chain.hook, chain.priority);
    for (const auto& rule : chain.rules)
      text += fmt::format("add rule {} {} {} comment \"{}\"\n", kTable, chain.name, rule.text, rule.comment);
  }
  return text;
}

std::optional<Plan> recorded() {
  const Fd file(::open(record_path().c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file && errno == ENOENT) return std::nullopt;
  if (!file) tool::fail_errno(tool::os, "open " + record_path());
  const Record record = record::parse_one(io::read_all(file.get(), kMaxRecord, record_path()));
  Plan plan{side_of(record, "ipv4"), side_of(record, "ipv6")};
  // An older release has none.
  if (const auto flows = record.get("flows_per_client"))
    plan.flows_per_client = static_cast<unsigned>(parse_decimal(*flows, 0, UINT32_MAX).value_or(0));
  return plan;
}

bool is_in_force(const Plan& plan) {
  const auto there = nft_listing::parse(nft::list(std::string("table ") + kTable));
  std::set<std::string> hooks;
  std::map<std::string, std::vector<std::string>> chains;
  for (const auto& chain : chains_of(plan)) {
    hooks.insert(fmt::format("{} {} {} {}", chain.name, chain.type, chain.hook, chain.priority));
    for (const auto& rule : chain.rules) chains[chain.name].push_back(rule.comment);
  }
  return there.hooks == hooks && there.chains == chains;
}

bool lay(const Plan& plan) {
  put_on_record(plan);
  if (is_in_force(plan)) return false;
  nft::apply(text(plan));
  return true;
}

bool mend() {
  const auto plan = recorded();
  if (!plan || is_in_force(*plan)) return false;
  nft::apply(text(*plan));
  return true;
}

bool take_away() {
  const bool was_there = recorded().has_value();
  if (::unlink(record_path().c_str()) != 0 && errno != ENOENT) tool::fail_errno(tool::os, "remove " + record_path());
  if (!nft::is_installed() || nft::list(std::string("table ") + kTable).empty()) return was_there;
  nft::apply(purge());
  return true;
}

}  // namespace firewall::border
