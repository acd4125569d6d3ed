#include "arguments.h"

#include <getopt.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include <fmt/core.h>

#include "base/accounts.h"
#include "base/failure.h"
#include "base/options.h"
#include "protocol.h"

namespace asp_cp {
namespace {

[[noreturn]] void wrong(const std::string& why) { throw tool::Failure(tool::usage, why); }

bool all_of(std::string_view text, std::string_view beyond_letters_and_digits) {
  return std::all_of(text.begin(), text.end(), [&](unsigned char c) {
    return (c < 0x80 && std::isalnum(c)) ||
           beyond_letters_and_digits.find(static_cast<char>(c)) != std::string_view::npos;
  });
}

// True if ssh cannot take `host` for an option, nor its config for a token.
bool is_host(std::string_view host) {
  return !host.empty() && host.size() <= 255 && host[0] != '-' && all_of(host, ".-_:%");
}

// Position of the colon between host and path; npos for a local name.
std::size_t colon_of(const std::string& operand) {
  const auto slash = operand.find('/');
  const auto bracket = operand.find('[');
  if (bracket < slash && (bracket == 0 || operand[bracket - 1] == '@')) {
    const auto close = operand.find("]:", bracket);
    if (close < slash) return close + 1;
  }
  const auto colon = operand.find(':');
  return colon < slash ? colon : std::string::npos;
}

void sort_operands(Command& command, const std::vector<std::string>& operands) {
  if (operands.size() < 2) options::fail_usage(kUsage, "a source and a target are needed");
  std::vector<Place> places;
  for (const auto& operand : operands) places.push_back(Place::parse(operand));
  const Place target = places.back();
  places.pop_back();

  command.upload = target.remote();
  command.far = command.upload ? target : places.front();
  command.target = target.path;
  for (const auto& source : places) {
    if (command.upload && source.remote()) wrong("both ends are remote: copy to this machine first");
    if (!command.upload && !source.remote()) wrong("neither end is remote: one operand must be host:path");
    if (!command.upload && !source.same_end(command.far)) wrong("the sources are on different hosts");
    base_name(source.path);
    command.sources.push_back(source.path);
  }
  command.far.path.clear();
}

Permission to_permission(const std::string& word) {
  if (word == "allow") return Permission::allow;
  if (word == "deny") return Permission::deny;
  if (word == "token") return Permission::token;
  wrong(fmt::format("'{}': allow, deny or token is expected", word));
}

struct LongOption {
  char letter;
  Browse browse;
};
constexpr LongOption kBrowse[] = {
    {'A', Browse::ls}, {'B', Browse::du}, {'C', Browse::mkdir}, {'D', Browse::rm}, {'E', Browse::mv}};
constexpr char kCheck = 'K';
constexpr char kJson = 'J';
constexpr ::option kLongOptions[] = {{"ls", no_argument, nullptr, 'A'},       {"du", no_argument, nullptr, 'B'},
                                     {"mkdir", no_argument, nullptr, 'C'},    {"rm", no_argument, nullptr, 'D'},
                                     {"mv", no_argument, nullptr, 'E'},       {"json", no_argument, nullptr, kJson},
                                     {"check", no_argument, nullptr, kCheck}, {nullptr, 0, nullptr, 0}};

void take_browse(Command& command, const Options& given) {
  for (const auto& [letter, browse] : kBrowse) {
    if (!given.has(letter)) continue;
    if (command.browse != Browse::no || given.has(kCheck))
      options::fail_usage(kUsage, "one of --ls, --du, --mkdir, --rm, --mv and --check can be given");
    command.browse = browse;
  }
  command.json = given.has(kJson);
  if (command.json && command.browse != Browse::ls && command.browse != Browse::du && !given.has(kCheck))
    options::fail_usage(kUsage, "--json goes with --ls, --du and --check");
  if (command.browse == Browse::no) return;
  for (const char letter : {'O', 'R', 'l', 'r', 'v'}) {
    if (given.has(letter)) options::fail_usage(kUsage, fmt::format("-{} is for transfers", letter));
  }
}

// All paths are on one host.
void sort_paths(Command& command, const std::vector<std::string>& operands) {
  const bool mv = command.browse == Browse::mv;
  if (mv ? operands.size() != 2 : operands.empty())
    options::fail_usage(kUsage, mv ? "two paths are needed" : "a path is needed");
  for (const auto& operand : operands) {
    const Place place = Place::parse(operand);
    if (!place.remote()) wrong(fmt::format("'{}': host:path is needed", operand));
    if (command.sources.empty()) command.far = place;
    else if (!place.same_end(command.far)) wrong("the paths are on different hosts");
    command.sources.push_back(place.path.empty() ? "." : place.path);
  }
  command.far.path.clear();
}

// [user@]host, where a path has its place, too, so that `user@host:` is as good.
void sort_host(Command& command, const Options& given) {
  command.check = true;
  for (const char letter : {'R', 'r', 'v'}) {
    if (given.has(letter)) options::fail_usage(kUsage, fmt::format("-{} is for transfers", letter));
  }
  if (given.operands.size() != 1) options::fail_usage(kUsage, "--check takes one host");
  const std::string& operand = given.operands[0];
  const bool whole = operand.ends_with(']') || operand.find(':') == operand.npos;
  command.far = Place::parse(whole ? operand + ":" : operand);
  if (!command.far.path.empty())
    wrong(fmt::format("'{}': --check takes only a host, [user@]host or [user@][IPv6 address]", operand));
}

Command server_command(const Options& given) {
  constexpr std::string_view kOfServer = "Sduw";
  const bool others = std::any_of(given.given.begin(), given.given.end(),
                                  [&](const auto& each) { return kOfServer.find(each.first) == kOfServer.npos; });
  if (others || !given.operands.empty()) options::fail_usage(kUsage, "-S goes with -d, -u and -w only");
  Command command;
  command.server = true;
  command.docroot = given.get('d', "");
  command.uploads = to_permission(given.get('u', "allow"));
  command.downloads = to_permission(given.get('w', "allow"));
  return command;
}

}  // namespace

Place Place::parse(const std::string& operand) {
  Place place;
  const auto colon = colon_of(operand);
  if (colon == std::string::npos) {
    place.path = operand;
    if (operand.empty()) wrong("an empty file name");
  } else {
    std::string host = operand.substr(0, colon);
    place.path = operand.substr(colon + 1);
    if (const auto at = host.rfind('@'); at != std::string::npos) {
      place.user = host.substr(0, at);
      host.erase(0, at + 1);
      if (!accounts::is_name(place.user)) wrong(fmt::format("'{}' is not a user name", place.user));
    }
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    if (!is_host(host)) wrong(fmt::format("'{}' is not a host (a local file with a colon in its name: ./a:b)", host));
    place.host = host;
  }
  if (place.path.size() > kMaxPath) wrong(fmt::format("a path of more than {} bytes", kMaxPath));
  return place;
}

std::uint64_t parse_rate(std::string_view text) {
  const auto refuse = [&]() {
    wrong(fmt::format("-l {}: not a rate from 100K to 100G bits a second, such as 100M", text));
  };
  std::uint64_t unit = 1;
  std::string_view digits = text;
  if (!digits.empty()) {
    switch (digits.back()) {
      case 'k':
      case 'K': unit = 1000; break;
      case 'm':
      case 'M': unit = 1000 * 1000; break;
      case 'g':
      case 'G': unit = 1000 * 1000 * 1000; break;
      default: break;
    }
    if (unit > 1) digits.remove_suffix(1);
  }
  std::string_view decimals;
  if (const auto point = digits.find('.'); point != digits.npos) {
    decimals = digits.substr(point + 1);
    digits = digits.substr(0, point);
    if (unit == 1 || decimals.empty() || decimals.size() > 3) refuse();
  }
  const auto number = [&](std::string_view part) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (part.empty() || part.size() > 12 || error != std::errc{} || end != part.data() + part.size()) refuse();
    return value;
  };
  const std::uint64_t whole = number(digits);
  if (whole > 100'000'000'000 / unit) refuse();
  std::uint64_t rate = whole * unit;
  std::uint64_t place = unit;
  for (const char digit : decimals) {
    place /= 10;
    rate += number(std::string_view(&digit, 1)) * place;
  }
  if (rate < 100'000 || rate > 100'000'000'000) refuse();
  return rate;
}

std::string base_name(const std::string& path) {
  const auto end = path.find_last_not_of('/');
  if (end == path.npos) wrong(fmt::format("'{}' names no file", path));
  const auto start = path.find_last_of('/', end);
  std::string name = path.substr(start == path.npos ? 0 : start + 1, end - (start == path.npos ? 0 : start + 1) + 1);
  if (name == "." || name == "..") wrong(fmt::format("'{}' names no file: give the directory's own name", path));
  return name;
}

Command Command::parse(int argc, char** argv) {
  const auto given = options::parse(argc, argv, "F:O:P:R:Sd:i:l:qru:vw:", kLongOptions, kUsage);
  if (given.has('S')) return server_command(given);
  for (const char letter : {'d', 'u', 'w'}) {
    if (given.has(letter)) options::fail_usage(kUsage, fmt::format("-{} goes with -S only", letter));
  }
  Command command;
  take_browse(command, given);
  command.quiet = given.has('q');
  command.verbose = given.has('v');
  command.recursive = given.has('r');
  command.ssh_config = given.get('F', "");
  command.key = given.get('i', "");
  if (given.has('P')) command.ssh_port = static_cast<Port>(options::number(given.get('P', ""), 'P', 1, 65535));
  if (given.has('O')) command.udp_port = static_cast<Port>(options::number(given.get('O', ""), 'O', 1, 65535));
  if (given.has('R')) command.retries = static_cast<unsigned>(options::number(given.get('R', ""), 'R', 0, 1000000));
  if (given.has('l')) command.rate = parse_rate(given.get('l', ""));
  if (given.has(kCheck)) sort_host(command, given);
  else if (command.browse != Browse::no) sort_paths(command, given.operands);
  else sort_operands(command, given.operands);
  return command;
}

}  // namespace asp_cp
