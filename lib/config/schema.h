// config/schema: the elements of aspera.conf that are ours: where they stand,
// what they may hold, their defaults and what they mean. The one table of them:
// config(3) checks a file against it, asuserdata prints it, asconfigurator finds
// elements by it.
//
//   server > rproxy > rules > rule > proxy_port    number 0 to 65535, 33001
//
// Source: the guide's chapters "Reverse Proxy Configuration Options" and
// "Configuring the Server for Forward Proxy", and newer releases of the original.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/xml.h"

namespace config::schema {

enum class Value {
  elements,       // no value: it holds other elements
  boolean,        // true, false
  number,         // within [low, high]
  word,           // one of `words`
  text,           // anything without control characters
  secret,         // like text, but never shown
  port,           // 1 to 65535
  port_range,     // LOW:HIGH
  address,        // IPv4 or IPv6
  netmask,        // of IPv4, as 255.255.255.0
  interface,      // a network interface's name
  host_name,      // a host name as uname -n prints it
  own_addresses,  // address/bits, separated by commas
  endpoints,      // address:port, separated by commas
  network,        // address, or address/bits
  domain,         // name, or name:port
  host,           // address[:port] or name[:port]
  account,        // a name of an account
  names,          // account names, separated by commas or white space
  path,           // absolute
  key_path,       // like path; $(user) and $(name) stand for the user
  docroot,        // like key_path, or $(home)[/...], or a URL
  listen,         // [address:]port[s], separated by commas; s: HTTPS
  destinations,   // addresses, networks, names or *.names, each with [:port[-port]]
  command,        // a command line
};

enum Trait : unsigned {
  repeats = 1,    // may occur several times
  foreign = 2,    // other elements and attributes belong to other products
  addition = 4,   // added by this suite; the original does not have it
  explicit_ = 8,  // must not be empty: it is left out instead
  identity = 16,  // tells which of several its parent is, so it cannot be set
  lenient = 32,   // a value that is not valid is an oddity, not a mistake; whoever reads it denies what it is for
};

struct Option {
  std::string_view name = {};
  Value value = Value::elements;
  std::string_view standard = {};  // the default as the file writes it; empty: none
  std::string_view meaning = {};   // one line for people
  unsigned traits = 0;             // Trait, or-ed
  long low = 0;
  long high = 0;
  std::string_view words = {};  // separated by |
  std::string_view alias = {};  // another spelling of `name`
  std::string_view item = {};   // asconfigurator's name, where that is not the path to the option
  std::span<const Option> children = {};
  std::span<const Option> attributes = {};

  bool is(Trait trait) const { return (traits & trait) != 0; }
  // True if `wanted` is the name or the alias.
  bool is_named(std::string_view wanted) const { return wanted == name || (!alias.empty() && wanted == alias); }
  // The child with that name or alias; absent: nullptr.
  const Option* child(std::string_view wanted) const;
};

// The document element.
const Option& root();

// A description of the valid values: "true or false", "a number from 0 to 2".
std::string expected(const Option& option);

// The highest number, which replaces a larger one where the option allows that. Absent: `value` counts as it is, or is
// not valid.
std::optional<long> highest_instead(const Option& option, std::string_view value);

// True if `value` is valid for `option`. An empty element means the default and need not be checked.
bool accepts(const Option& option, std::string_view value);

// Checks a whole document: names, values, and that nothing occurs twice that may not repeat.
// Failure{78} "file:line:column: element: what is wrong, what is expected".
void check(const config::xml::Element& document, const std::string& file);

// A value that the original and other products have, and we do not.
struct Oddity {
  unsigned long line;
  std::string text;  // "read_allowed: 'yes' is not valid; expected true or false"
};
// The oddities of a document that passes check().
std::vector<Oddity> oddities(const config::xml::Element& document);

// Takes out each element with the value AS_NULL, by which the original's tools mean that it is not set.
void forget_nulls(config::xml::Element& document);

// A setting below a section that occurs once, with the name that asconfigurator and
// asuserdata use for it: the path joined by "_", or Option::item.
//
//   rproxy_rules_rule_host    {rproxy, rules, rule, host} below {"server"}
struct Item {
  std::string name;
  std::vector<const Option*> path;  // the last one has the value

  const Option& option() const { return *path.back(); }
};
using Path = std::vector<std::string_view>;
std::vector<Item> items(const Path& section);

// The elements at `path` below the document element, in the order of the file,
// for instance {"server", "rproxy", "rules", "rule"}.
std::vector<const config::xml::Element*> find(const config::xml::Element& document, const Path& path);

// The elements at `path` below `sections`, by name or alias. Several sections count as one.
using Elements = std::vector<const config::xml::Element*>;
Elements at(const Elements& sections, const std::vector<const Option*>& path);

// The one that counts of several elements with the same meaning: the first that is not empty; nullptr
// if there is none.
const config::xml::Element* first_given(const Elements& elements);

// Failure{78} "file:line:column: element: why".
[[noreturn]] void fail(const std::string& file, const config::xml::Element& element, const std::string& why);

}  // namespace config::schema
