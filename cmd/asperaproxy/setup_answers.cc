#include "setup_answers.h"

#include <getopt.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/accounts.h"
#include "base/cut.h"
#include "base/failure.h"
#include "base/io.h"
#include "base/logging.h"
#include "base/options.h"
#include "config/destination.h"
#include "config/node_users.h"
#include "doctor.h"
#include "host_keys.h"
#include "setup_host.h"
#include "setup_original.h"
#include "who/proxy_account.h"

namespace asperaproxy::setup {

const char kUsage[] = "asperaproxy setup [option ...], as asperaproxy(8) has them; or asperaproxy setup --undo";

namespace {

[[noreturn]] void wrong(const std::string& why) { throw tool::Failure(tool::usage, why); }

std::string joined(const std::vector<HostPort>& servers) {
  std::string text;
  for (const auto& server : servers)
    text += (text.empty() ? "" : ",") + (server.port == 22 ? HostPort{server.host, 0} : server).text();
  return text;
}

std::string joined(const std::vector<IpAddress>& addresses) {
  std::string text;
  for (const auto& address : addresses) text += (text.empty() ? "" : ",") + address.text();
  return text;
}

// --- what each option takes ------------------------------------------------------------------

void take_servers(Answers& answers, const std::string& text) {
  answers.servers.clear();
  for (const auto word : cut::words(text, ", \t")) {
    auto host = HostPort::parse(word);
    if (!host) wrong(fmt::format("'{}' is not a server: an address or a name, with :PORT if that is not 22", word));
    if (host->port == 0) host->port = 22;
    if (addresses_of(*host).empty())
      wrong(fmt::format("{}: no address is known for that name (getent hosts {})", host->host, host->host));
    if (std::find(answers.servers.begin(), answers.servers.end(), *host) == answers.servers.end())
      answers.servers.push_back(*host);
  }
  if (answers.servers.empty()) wrong("a server is needed");
}

void take_addresses(Answers& answers, const std::string& text) {
  answers.addresses.clear();
  const auto own = own_addresses();
  for (const auto word : cut::words(text, ", \t")) {
    const auto address = IpAddress::parse(word);
    if (!address) wrong(fmt::format("'{}' is not an address", word));
    if (std::find(own.begin(), own.end(), *address) == own.end())
      wrong(fmt::format("{} is not an address of this host, which has {}", address->text(), joined(own)));
    if (std::find(answers.addresses.begin(), answers.addresses.end(), *address) == answers.addresses.end())
      answers.addresses.push_back(*address);
  }
  if (answers.addresses.empty()) wrong("an address is needed");
}

void take_squash(Answers& answers, const std::string& text) {
  if (text == "-") return answers.squash.clear();
  if (!accounts::is_name(text) || text.find_first_of("<>&") != text.npos)
    wrong(fmt::format("'{}' is not a name of an account", text));
  answers.squash = text;
}

void take_user(Answers& answers, const std::string& text) {
  if (text == "-") return answers.user.clear();
  if (!is_user_name(text))
    wrong(fmt::format("'{}' is not a name for an account on this host: letters, digits, . _ and -, at most 32", text));
  if (const auto account = proxy_account::find(text)) proxy_account::check_may_transfer_only(*account);
  answers.user = text;
}

// A file, or the key itself.
void take_key(Answers& answers, const std::string& text) {
  constexpr std::size_t kMost = 64 * 1024;
  const bool is_path = text.find(' ') == text.npos || text.starts_with('/');
  const std::string read = is_path ? doctor::read_file(text) : text;
  if (text.empty()) wrong("a public key is needed");
  if (read.empty()) wrong(fmt::format("{}: there is no such file, or it is empty", text));
  if (read.size() > kMost) wrong(fmt::format("{}: more than {} bytes", text, kMost));
  if (read.find("PRIVATE KEY") != read.npos)
    wrong("this is a private key, which nobody else should have: take the .pub file");
  std::vector<std::string> keys;
  for (const auto line : cut::lines(read)) {
    const auto key = cut::trimmed(line);
    if (!key.empty() && key[0] != '#') keys.emplace_back(key);
  }
  if (keys.size() != 1) wrong("one public key is needed, as a line that begins with its type (asp-adduser takes more)");
  if (fingerprint_of(keys[0]).empty())
    wrong("that is not a public key: a line such as ssh-ed25519 AAAA... bear@laptop");
  answers.key = keys[0];
}

void take_print(Answers& answers, const std::string& text) {
  if (!host_keys::is_fingerprint(text))
    wrong(fmt::format("{}: expected SHA256: and 43 characters, as ssh-keygen -lf prints it", text));
  if (std::find(answers.prints.begin(), answers.prints.end(), text) == answers.prints.end())
    answers.prints.push_back(text);
}

void take_root_login(Answers& answers, const std::string& text) {
  if (text != "no" && text != "key") wrong(fmt::format("'{}' is neither no nor key", text));
  answers.root_login = text == "no" ? RootLogin::no : RootLogin::key;
}

void take_border(Answers& answers, const std::string& text) {
  if (text != "yes" && text != "no") wrong(fmt::format("'{}' is neither yes nor no", text));
  answers.border = text == "yes" ? Border::yes : Border::no;
}

void take_original(Answers& answers, const std::string& text) {
  const auto file = text_of(text);
  if (!text.starts_with('/') || !file) wrong(fmt::format("{}: there is no such file; its whole path is needed", text));
  answers.original = text;
}

void take_sudoers(Answers& answers, const std::string& text) {
  if (text != "delete" && text != "keep") wrong(fmt::format("'{}' is neither delete nor keep", text));
  answers.sudoers = text == "delete";
}

constexpr const char* kDirections[] = {"reverse", "forward", "both", "node"};

void take_direction(Answers& answers, const std::string& text) {
  for (std::size_t i = 0; i < std::size(kDirections); ++i) {
    if (text == kDirections[i]) return void(answers.direction = static_cast<Direction>(i));
  }
  wrong(fmt::format("'{}' is neither reverse nor forward, both nor node", text));
}

void take_inside(Answers& answers, const std::string& text) {
  Answers some;
  take_addresses(some, text);
  if (some.addresses.size() != 1) wrong("one address is needed");
  answers.inside = some.addresses[0];
}

void take_destinations(Answers& answers, const std::string& text) {
  answers.destinations.clear();
  if (text == "-") return;
  for (const auto word : cut::words(text, ", \t")) {
    if (!config::Destination::parse(word))
      wrong(fmt::format("'{}' is not a destination: an address, a network, a name or *.name, with :PORT[-PORT]", word));
    answers.destinations.emplace_back(word);
  }
  if (answers.destinations.empty()) wrong("a destination is needed, or - for any but private ones");
}

void take_node_user(Answers& answers, const std::string& text) {
  if (text == "-") return answers.node_user.clear();
  if (!config::node_users::is_name(text)) wrong(fmt::format("'{}' is not a name for a user", text));
  answers.node_user = text;
}

void take_password(Answers& answers, const std::string& text) {
  const std::string read = doctor::read_file(text);
  answers.password = read.substr(0, read.find('\n'));
  if (answers.password.empty()) wrong(fmt::format("{}: there is no such file, or its first line is empty", text));
}

void take_target(Answers& answers, const std::string& text) {
  answers.target = HostPort::parse(text);
  if (!answers.target) wrong(fmt::format("'{}' is not a server", text));
  if (answers.target->port == 0) answers.target->port = 22;
}

void take_proxies(Answers& answers, const std::string& text) {
  answers.proxies.clear();
  for (const auto word : cut::words(text, ", \t")) {
    const auto address = IpAddress::parse(word);
    if (!address) wrong(fmt::format("'{}' is not an address", word));
    answers.proxies.push_back(*address);
  }
  if (answers.proxies.empty()) wrong("an address is needed");
}

void take_docroot(Answers& answers, const std::string& text) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-";
  const bool plain = text.starts_with('/') && !text.ends_with('/') && text.find_first_not_of(kPlain) == text.npos;
  if (!plain || text.find("//") != text.npos || text.find("/.") != text.npos)
    wrong(fmt::format("'{}' is not a folder for docroots: a path such as /srv/transfer, of letters, digits, . _ and -",
                      text));
  answers.docroot = text;
}

// --- the questions ------------------------------------------------------------------------------

std::string standard_servers(const Answers& answers) { return joined(answers.servers); }

std::string standard_addresses(const Answers& answers) {
  return joined(answers.addresses.empty() ? addresses_outside(answers.servers) : answers.addresses);
}

std::string standard_squash(const Answers& answers) { return answers.squash.empty() ? "-" : answers.squash; }
std::string standard_user(const Answers& answers) { return answers.user.empty() ? "-" : answers.user; }
std::string standard_key(const Answers& answers) { return answers.key; }

std::string standard_direction(const Answers& answers) { return kDirections[static_cast<int>(answers.direction)]; }

std::string standard_inside(const Answers& answers) {
  const auto address = answers.inside ? answers.inside : address_inside(answers.servers);
  return address ? address->text() : "";
}

std::string standard_destinations(const Answers& answers) {
  return answers.destinations.empty() ? "-" : fmt::format("{}", fmt::join(answers.destinations, ","));
}

std::string standard_node_user(const Answers& answers) { return answers.node_user.empty() ? "-" : answers.node_user; }

std::string standard_proxies(const Answers& answers) { return joined(answers.proxies); }
std::string standard_docroot(const Answers& answers) { return answers.docroot; }

bool is_fresh(const Answers& answers) { return answers.original.empty(); }
bool is_reverse(const Answers& answers) { return is_fresh(answers) && answers.reverse(); }
bool is_forward(const Answers& answers) { return is_fresh(answers) && answers.forward(); }
bool is_node(const Answers& answers) { return is_fresh(answers) && answers.node(); }
bool has_old_grants(const Answers& answers) {
  const auto grants = is_fresh(answers) ? std::map<std::string, Grants>{} : old_grants();
  return std::any_of(grants.begin(), grants.end(), [](const auto& one) { return !one.second.deleted.empty(); });
}
std::string standard_sudoers(const Answers& answers) { return answers.sudoers ? "delete" : ""; }

struct Topic {
  char letter;
  const char* option;
  void (*take)(Answers&, const std::string&);
  const char* question = nullptr;  // absent: it is never asked
  std::string (*standard)(const Answers&) = nullptr;
  bool (*is_due)(const Answers&) = [](const Answers&) { return true; };
};

constexpr Topic kTopics[] = {
    {'D', "direction", take_direction,
     "Reverse proxy (people outside reach servers inside), forward proxy (the other way), both, or node (a server "
     "inside)",
     standard_direction, is_fresh},
    {'s', "server", take_servers, "Internal server (address or name, several with commas)", standard_servers,
     is_reverse},
    {'a', "address", take_addresses, "Addresses of this proxy where clients come", standard_addresses, is_reverse},
    {'q', "squash", take_squash, "Account on the server for everybody (- for each user's own name)", standard_squash,
     is_reverse},
    {'u', "user", take_user, "First user outside (- for none yet)", standard_user, is_reverse},
    {'k', "key", take_key, "That user's public key (a file, or the line itself)", standard_key,
     [](const Answers& answers) { return is_reverse(answers) && !answers.user.empty(); }},
    {'P', "proxy", take_proxies, "Addresses of the proxy towards this host", standard_proxies, is_node},
    {'u', "user", take_user, "Account that the proxy logs in to (- for none yet)", standard_user, is_node},
    {'k', "key", take_key, "The proxy's public key (a file, or the line itself)", standard_key,
     [](const Answers& answers) { return is_node(answers) && !answers.user.empty(); }},
    {'d', "docroot", take_docroot, "Folder for docroots", standard_docroot, is_node},
    {'f', "fingerprint", take_print},
    {'r', "root-login", take_root_login},
    {'i', "inside", take_inside, "Address of this proxy where people inside come", standard_inside, is_forward},
    {'t', "destinations", take_destinations, "Servers that they may reach (- for any but private ones)",
     standard_destinations, is_forward},
    {'N', "node-user", take_node_user, "First user inside (- for none yet)", standard_node_user, is_forward},
    {'p', "password-file", take_password},
    {'T', "try", take_target},
    {'O', "from-original", take_original},
    {'S', "sudoers", take_sudoers,
     "Lines of sudoers let users rewrite the whole firewall, by iptables-restore. Nobody needs that any more "
     "(delete or keep)",
     standard_sudoers, has_old_grants},
    {'b', "border", take_border,
     "This host forwards packets already. Stop that between the proxy's networks, except for sessions (yes or no)",
     [](const Answers&) { return std::string(); },
     [](const Answers& answers) { return answers.border == Border::undecided && forwards_for_others(); }},
};

const Topic* topic_of(char letter) {
  const auto* const found =
      std::find_if(std::begin(kTopics), std::end(kTopics), [&](const Topic& topic) { return topic.letter == letter; });
  return found == std::end(kTopics) ? nullptr : found;
}

void ask(Answers& answers, const Topic& topic, Person& person) {
  constexpr int kTries = 3;
  const std::string standard = topic.standard(answers);
  const std::string shown = standard.size() > 60 ? standard.substr(0, 57) + "..." : standard;
  const std::string question = fmt::format("{}{}: ", topic.question, shown.empty() ? "" : fmt::format(" [{}]", shown));
  std::string why;
  for (int i = 0; i < kTries; ++i) {
    const auto answer = person.answer(question);
    if (!answer)
      wrong(fmt::format("the input ended before the answer for --{}: without a terminal, give options, and --yes",
                        topic.option));
    try {
      return topic.take(answers, answer->empty() ? standard : *answer);
    } catch (const tool::Failure& failure) {
      why = failure.what();
      std::fputs(fmt::format("{}\n", logging::escape(why)).c_str(), stderr);
    }
  }
  wrong(fmt::format("no answer for --{} after {} tries: {}", topic.option, kTries, why));
}

const std::vector<option>& table() {
  static const std::vector<option> all = [] {
    std::vector<option> options{{"own-names", no_argument, nullptr, 'o'},
                                {"no-user", no_argument, nullptr, 'n'},
                                {"yes", no_argument, nullptr, 'y'},
                                {"dry-run", no_argument, nullptr, 'w'},
                                {"undo", no_argument, nullptr, 'U'}};
    for (const auto& topic : kTopics) {
      if (topic_of(topic.letter) == &topic) options.push_back({topic.option, required_argument, nullptr, topic.letter});
    }
    options.push_back({nullptr, 0, nullptr, 0});
    return options;
  }();
  return all;
}

Options parsed(const std::vector<std::string>& words) {
  auto options = options::parse(words, table().data(), kUsage);
  if (!options.operands.empty()) options::fail_usage(kUsage, fmt::format("'{}' is not an option", options.operands[0]));
  const auto name = [](char letter) {
    return std::find_if(table().begin(), table().end(), [=](const option& one) { return one.val == letter; })->name;
  };
  for (const auto& [one, other] : {std::pair('q', 'o'), {'u', 'n'}, {'y', 'w'}, {'y', 'U'}, {'w', 'U'}}) {
    if (options.has(one) && options.has(other))
      options::fail_usage(kUsage, fmt::format("--{} and --{} exclude each other", name(one), name(other)));
  }
  return options;
}

Manner manner_of(const Options& options) {
  if (options.has('U')) return Manner::undo;
  if (options.has('w')) return Manner::show;
  return options.has('y') ? Manner::take : Manner::ask;
}

void take_options(Answers& answers, const Options& options) {
  if (options.has('f')) answers.prints.clear();
  // Servers first: the addresses outside depend on them.
  for (const auto& [letter, text] : options.in_order) {
    const Topic* const topic = topic_of(letter);
    if (!topic) continue;
    try {
      topic->take(answers, text);
    } catch (const tool::Failure& failure) {
      throw tool::Failure(tool::usage, fmt::format("--{}: {}", topic->option, failure.what()));
    }
  }
  if (options.has('o')) answers.squash.clear();
  if (options.has('n')) answers.user.clear();
}

// What no option has said: the answers of the last time, and what the host shows.
void take_standards(Answers& answers) {
  if (!is_fresh(answers)) return;
  if (answers.reverse()) {
    if (answers.servers.empty()) options::fail_usage(kUsage, "--server is needed");
    if (answers.addresses.empty()) answers.addresses = addresses_outside(answers.servers);
    if (answers.addresses.empty()) options::fail_usage(kUsage, "--address is needed: this host has none");
  }
  if (answers.node() && answers.proxies.empty()) options::fail_usage(kUsage, "--proxy is needed");
  if (answers.forward()) {
    if (!answers.inside) answers.inside = address_inside(answers.servers);
    if (!answers.inside) options::fail_usage(kUsage, "--inside is needed: the host does not show which address it is");
  }
}

// What the file of the original says.
void take_from_original(Answers& answers) {
  const auto config = config::parse(take_over(text_of(answers.original).value_or("")).text, answers.original);
  if (!config.rproxy.enabled && !config.proxy.enabled)
    options::fail_usage(kUsage, fmt::format("{} enables no proxy", answers.original));
  answers.direction = config.rproxy.enabled && config.proxy.enabled ? Direction::both
                      : config.rproxy.enabled                       ? Direction::reverse
                                                                    : Direction::forward;
  answers.servers.clear();
  answers.addresses.clear();
  answers.user.clear();
  const auto own = own_addresses();
  for (const auto& rule : config.rproxy.rules) {
    for (const auto& host : rule.hosts) {
      if (std::find(answers.servers.begin(), answers.servers.end(), host) == answers.servers.end())
        answers.servers.push_back(host);
    }
    for (const auto& address : own) {
      const bool known =
          std::find(answers.addresses.begin(), answers.addresses.end(), address) != answers.addresses.end();
      if (!known && rule.host_ip && rule.host_ip->contains(address)) answers.addresses.push_back(address);
    }
  }
  if (answers.reverse() && answers.addresses.empty()) answers.addresses = addresses_outside(answers.servers);
  answers.inside = config.proxy.bind_ip_address ? config.proxy.bind_ip_address : address_inside(answers.servers);
  if (answers.forward() && !answers.inside) options::fail_usage(kUsage, "--inside is needed");
}

bool is_given(const Options& options, const Topic& topic) {
  return options.has(topic.letter) || (topic.letter == 'q' && options.has('o')) ||
         (topic.letter == 'u' && options.has('n'));
}

}  // namespace

std::optional<std::string> Person::answer(const std::string& question) {
  io::write_all(STDOUT_FILENO, question);
  for (;;) {
    if (const auto line = lines_.pop()) return std::string(cut::trimmed(*line));
    if (lines_.fill(STDIN_FILENO)) continue;
    io::write_all(STDOUT_FILENO, "\n");
    const auto line = lines_.rest();
    if (line && !line->empty()) return std::string(cut::trimmed(*line));
    return std::nullopt;
  }
}

Record Answers::to_record() const {
  Record record;
  record.add("direction", standard_direction(*this));
  for (const auto& server : servers) record.add("server", server.text());
  for (const auto& address : addresses) record.add("address", address.text());
  record.add("squash", squash);
  record.add("user", user);
  record.add("key", key);
  for (const auto& print : prints) record.add("fingerprint", print);
  if (inside) record.add("inside", inside->text());
  for (const auto& destination : destinations) record.add("destination", destination);
  record.add("node_user", node_user);
  for (const auto& proxy : proxies) record.add("proxy", proxy.text());
  record.add("docroot", docroot);
  if (target) record.add("try", target->text());
  record.add("original", original);
  if (sudoers) record.add("sudoers", "delete");
  if (root_login != RootLogin::undecided) record.add("root_login", root_login == RootLogin::no ? "no" : "key");
  if (border != Border::undecided) record.add("border", border == Border::yes ? "yes" : "no");
  return record;
}

Answers Answers::from_record(const Record& record) {
  record.check_names({"direction", "squash", "user", "key", "inside", "node_user", "try", "original", "sudoers",
                      "root_login", "border", "docroot"},
                     {"server", "address", "fingerprint", "destination", "proxy"});
  Answers answers;
  take_direction(answers, record.require("direction"));
  if (const auto inside = record.get("inside")) answers.inside = IpAddress::parse(*inside);
  answers.destinations = record.all("destination");
  answers.node_user = record.require("node_user");
  answers.original = record.get("original").value_or("");
  answers.sudoers = record.get("sudoers").has_value();
  if (const auto target = record.get("try")) take_target(answers, *target);
  if (const auto docroot = record.get("docroot")) take_docroot(answers, *docroot);
  for (const auto& text : record.all("proxy")) {
    if (const auto proxy = IpAddress::parse(text)) answers.proxies.push_back(*proxy);
  }
  for (const auto& text : record.all("server")) {
    if (const auto server = HostPort::parse(text)) answers.servers.push_back(*server);
  }
  for (const auto& text : record.all("address")) {
    if (const auto address = IpAddress::parse(text)) answers.addresses.push_back(*address);
  }
  answers.squash = record.require("squash");
  answers.user = record.require("user");
  answers.key = record.require("key");
  answers.prints = record.all("fingerprint");
  if (const auto login = record.get("root_login")) take_root_login(answers, *login);
  if (const auto border = record.get("border")) take_border(answers, *border);
  return answers;
}

Asked asked(const std::vector<std::string>& words, const Answers& before, Person& person) {
  const auto options = parsed(words);
  Asked asked{manner_of(options), before};
  if (asked.manner == Manner::undo) return asked;
  // Whoever sits at a terminal is asked about host keys, and a fingerprint that was wrong the last time does not count.
  if (asked.manner == Manner::ask && has_terminal()) asked.answers.prints.clear();
  take_options(asked.answers, options);
  if (!asked.answers.original.empty()) take_from_original(asked.answers);
  if (asked.manner != Manner::ask) take_standards(asked.answers);
  for (const auto& topic : kTopics) {
    if (asked.manner != Manner::ask || !topic.question || is_given(options, topic)) continue;
    if (topic.is_due(asked.answers)) ask(asked.answers, topic, person);
  }
  if (asked.answers.user.empty() || !(asked.answers.reverse() || asked.answers.node())) asked.answers.key.clear();
  else if (asked.answers.key.empty()) options::fail_usage(kUsage, "--user needs --key");
  return asked;
}

}  // namespace asperaproxy::setup
