#include "config/schema.h"

#include <algorithm>

#include <fmt/core.h>

#include "config/destination.h"
#include "config/value.h"

namespace config::schema {
namespace {

using config::xml::Element;

// Calls `each` with the parts of `text` between bars.
template <typename Each>
void for_words(std::string_view text, Each each) {
  while (!text.empty()) {
    const auto bar = std::min(text.find('|'), text.size());
    each(text.substr(0, bar));
    text.remove_prefix(std::min(bar + 1, text.size()));
  }
}

std::string joined_words(std::string_view words) {
  std::string joined;
  for_words(words, [&](std::string_view word) { joined += (joined.empty() ? "" : " or ") + std::string(word); });
  return joined;
}

bool is_word(std::string_view words, std::string_view value) {
  bool found = false;
  for_words(words, [&](std::string_view word) { found = found || word == value; });
  return found;
}

class Checker {
 public:
  // Oddities are added to `oddities`, if that is given.
  explicit Checker(const std::string& file, std::vector<Oddity>* oddities = nullptr)
      : file_(file), oddities_(oddities) {}

  // The options seen so far that may not come again within one element that repeats.
  using Seen = std::vector<const Option*>;

  void element(const Element& element, const Option& option, Seen& seen) const {
    attributes(element, option);
    if (option.value == Value::elements) return children(element, option, seen);
    if (!element.children.empty()) complain(element.children[0], "does not belong inside " + element.name);
    if (element.text.empty() && !option.is(explicit_)) return;
    if (accepts(option, element.text)) return;
    if (!tolerates(option, element.text)) complain(element, refusal(option, element.text));
    if (oddities_)
      oddities_->push_back({element.position.line, fmt::format("{}: {}", element.name, refusal(option, element.text))});
  }

 private:
  static bool tolerates(const Option& option, const std::string& text) {
    if (!option.is(lenient)) return false;
    return option.value != Value::number || highest_instead(option, text).has_value();
  }

  [[noreturn]] void complain(const Element& element, const std::string& why) const { fail(file_, element, why); }

  static std::string refusal(const Option& option, const std::string& value) {
    if (const auto counts = highest_instead(option, value))
      return fmt::format("{} counts as {}, the highest value allowed", value, *counts);
    return fmt::format("'{}' is not valid; expected {}", value.substr(0, 100), expected(option));
  }

  void children(const Element& element, const Option& option, Seen& seen) const {
    const bool strict = !option.is(foreign);
    if (strict && !element.text.empty()) {
      complain(element, fmt::format("text between its elements: '{}'", element.text.substr(0, 100)));
    }
    for (const auto& child : element.children) {
      const Option* known = option.child(child.name);
      if (!known) {
        if (strict) complain(child, "unknown element in " + element.name);
      } else if (known->is(repeats)) {
        Seen own;
        this->element(child, *known, own);
      } else {
        if (!known->is(foreign)) once(child, element, *known, seen);
        this->element(child, *known, seen);
      }
    }
  }

  void once(const Element& child, const Element& parent, const Option& option, Seen& seen) const {
    if (std::find(seen.begin(), seen.end(), &option) != seen.end()) complain(child, "is given twice in " + parent.name);
    seen.push_back(&option);
  }

  void attributes(const Element& element, const Option& option) const {
    if (option.is(foreign)) return;
    for (const auto& [name, value] : element.attributes) {
      const auto known = std::find_if(option.attributes.begin(), option.attributes.end(),
                                      [&wanted = name](const Option& each) { return each.name == wanted; });
      if (known == option.attributes.end()) complain(element, unknown_attribute(name, option));
      if (!accepts(*known, value)) complain(element, name + " " + refusal(*known, value));
    }
  }

  static std::string unknown_attribute(const std::string& name, const Option& option) {
    std::string known;
    for (const auto& attribute : option.attributes)
      known += (known.empty() ? "; expected " : " or ") + std::string(attribute.name);
    return fmt::format("unknown attribute '{}'{}", name.substr(0, 100), known);
  }

  const std::string& file_;
  std::vector<Oddity>* oddities_;
};

}  // namespace

const Option* Option::child(std::string_view wanted) const {
  for (const auto& option : children) {
    if (option.is_named(wanted)) return &option;
  }
  return nullptr;
}

void fail(const std::string& file, const Element& element, const std::string& why) {
  config::xml::fail(file, element.position, fmt::format("{}: {}", element.name, why));
}

std::string expected(const Option& option) {
  switch (option.value) {
    case Value::elements: return "elements";
    case Value::boolean: return "true or false";
    case Value::number: return fmt::format("a number from {} to {}", option.low, option.high);
    case Value::word: return joined_words(option.words);
    case Value::text:
    case Value::secret: return "text without control characters";
    case Value::port: return "a number from 1 to 65535";
    case Value::port_range: return "LOW:HIGH, ports from 1 to 65535, such as 33001:33100";
    case Value::address: return "an IPv4 or IPv6 address";
    case Value::netmask: return "a netmask such as 255.255.255.0";
    case Value::interface: return "the name of a network interface";
    case Value::host_name: return "a host name";
    case Value::own_addresses: return "address/bits, separated by commas, such as 198.51.100.39/24";
    case Value::endpoints: return "address:port, separated by commas, such as 192.0.2.11:6379";
    case Value::network: return "an address or address/bits";
    case Value::domain: return "name or name:port";
    case Value::host: return "address[:port] or name[:port], an IPv6 address with port in brackets";
    case Value::account: return "an account name (no / : , in it)";
    case Value::names: return "names separated by commas, those with blanks in \"quotes\"";
    case Value::path: return "an absolute path";
    case Value::key_path: return "an absolute path, in which $(user) may stand for the user's name";
    case Value::docroot: return "an absolute path, $(home) or a path below it, or a URL";
    case Value::listen: return "[address:]port[s], separated by commas, such as 9091,9092s";
    case Value::destinations: return "addresses, networks or names, each with [:port[-port]], separated by commas";
    case Value::command: return "a command line";
  }
  return {};
}

std::optional<long> highest_instead(const Option& option, std::string_view value) {
  constexpr long kLargest = 1'000'000;
  if (option.value != Value::number || !option.is(lenient)) return std::nullopt;
  return config::value::number(value, option.high + 1, kLargest) ? std::optional(option.high) : std::nullopt;
}

bool accepts(const Option& option, std::string_view value) {
  namespace v = config::value;
  switch (option.value) {
    case Value::elements: return false;
    case Value::boolean: return v::boolean(value).has_value();
    case Value::number: return v::number(value, option.low, option.high).has_value();
    case Value::word: return is_word(option.words, value);
    case Value::text:
    case Value::secret: return v::is_text(value);
    case Value::port: return parse_port(value).has_value();
    case Value::port_range: return PortRange::parse(value).has_value();
    case Value::address: return IpAddress::parse(value).has_value();
    case Value::netmask: return v::netmask(value).has_value();
    case Value::interface: return v::is_interface(value);
    case Value::host_name: return v::is_host_name(value);
    case Value::own_addresses: return !v::own_addresses(value).empty();
    case Value::endpoints: return !v::endpoints(value).empty();
    case Value::network: return Network::parse(value).has_value();
    case Value::domain:
    case Value::host: return HostPort::parse(value).has_value();
    case Value::account: return v::is_account(value);
    case Value::names: return !v::names(value).empty();
    case Value::path: return v::is_path(value);
    case Value::key_path: return v::is_user_path(value);
    case Value::docroot: return v::is_docroot(value);
    case Value::listen: return !v::listen(value).empty();
    case Value::destinations:
      return !config::destination::parse_list(value).value_or(std::vector<Destination>{}).empty();
    case Value::command: return !value.empty() && v::is_text(value);
  }
  return false;
}

void check(const Element& document, const std::string& file) {
  if (document.name != root().name && document.name != root().alias) {
    fail(file, document, "the document element must be <CONF version=\"2\">");
  }
  Checker::Seen seen;
  Checker(file).element(document, root(), seen);
}

std::vector<Oddity> oddities(const Element& document) {
  std::vector<Oddity> found;
  const std::string file;
  Checker::Seen seen;
  Checker(file, &found).element(document, root(), seen);
  return found;
}

void forget_nulls(Element& document) {
  std::erase_if(document.children, [](const Element& each) { return each.children.empty() && each.text == "AS_NULL"; });
  for (auto& child : document.children) forget_nulls(child);
}

namespace {

void add_items(const Option& parent, std::vector<const Option*>& path, const std::string& prefix,
               std::vector<Item>& found) {
  for (const auto& option : parent.children) {
    path.push_back(&option);
    const std::string name = prefix + (prefix.empty() ? "" : "_") + std::string(option.name);
    // A value that repeats is left out, since nothing tells which one is meant. A rule is not: it may be the
    // only one.
    if (option.value == Value::elements) add_items(option, path, name, found);
    else if (!option.is(repeats) && !option.is(identity))
      found.push_back({option.item.empty() ? name : std::string(option.item), path});
    path.pop_back();
  }
}

}  // namespace

std::vector<Item> items(const Path& section) {
  const Option* option = &root();
  for (const auto name : section) option = option->child(name);
  std::vector<Item> found;
  std::vector<const Option*> path;
  add_items(*option, path, "", found);
  return found;
}

std::vector<const Element*> find(const Element& document, const Path& path) {
  std::vector<const Element*> found{&document};
  for (const auto name : path) {
    std::vector<const Element*> below;
    for (const auto* element : found) {
      for (const auto& child : element->children) {
        if (child.name == name) below.push_back(&child);
      }
    }
    found = std::move(below);
  }
  return found;
}

Elements at(const Elements& sections, const std::vector<const Option*>& path) {
  Elements found = sections;
  for (const auto* option : path) {
    Elements below;
    for (const auto* parent : found) {
      for (const auto& child : parent->children) {
        if (option->is_named(child.name)) below.push_back(&child);
      }
    }
    found = std::move(below);
  }
  return found;
}

const Element* first_given(const Elements& elements) {
  const auto given =
      std::find_if(elements.begin(), elements.end(), [](const Element* each) { return !each->text.empty(); });
  return given == elements.end() ? nullptr : *given;
}

}  // namespace config::schema
