#include "effective.h"

#include <grp.h>

#include <algorithm>
#include <functional>
#include <vector>

#include <fmt/core.h>

#include "base/accounts.h"
#include "base/failure.h"
#include "base/logging.h"
#include "config/config.h"
#include "config/schema.h"
#include "who/file_access.h"

namespace asuserdata {
namespace {

using config::schema::Elements;
using config::schema::Item;
using config::schema::Option;
using config::schema::Value;
using config::xml::Element;

std::string line(const std::string& name, const std::string& value) {
  std::string shown;
  for (const char c : logging::escape(value)) shown += c == '"' ? std::string("\\\"") : std::string(1, c);
  return fmt::format("{}: \"{}\"\n", name, shown);
}

// The value of `element`, or the default.
std::string value_of(const Element* element, const Option& option) {
  const std::string text = element && !element->text.empty() ? element->text : std::string(option.standard);
  return option.value == Value::secret && !text.empty() ? "********" : text;
}

const Element* child_of(const Element& parent, const Option& option) {
  const Element* element = parent.child(option.name);
  return element || option.alias.empty() ? element : parent.child(option.alias);
}

bool is_below_rule(const Item& item) {
  return std::any_of(item.path.begin(), item.path.end(), [](const Option* option) { return option->name == "rule"; });
}

// The lines of one <rule>; <hosts> becomes one value.
std::string of_rule(const Element& rule, const Option& option, const std::string& prefix) {
  std::string text;
  for (const auto& attribute : option.attributes) {
    for (const auto& [name, value] : rule.attributes) {
      if (name == attribute.name) text += line(prefix + name, value);
    }
  }
  for (const auto& child : option.children) {
    const Element* element = child_of(rule, child);
    std::string value;
    if (child.value != Value::elements) {
      value = value_of(element, child);
    } else if (element) {
      for (const auto& each : element->children) value += (value.empty() ? "" : ",") + each.text;
    }
    text += line(prefix + std::string(child.name), value);
  }
  return text;
}

std::string of_server(const Element& document) {
  const Elements server = config::schema::find(document, {"server"});
  std::string text;
  for (const auto& item : config::schema::items({"server"})) {
    if (!is_below_rule(item))
      text +=
          line(item.name, value_of(config::schema::first_given(config::schema::at(server, item.path)), item.option()));
  }
  const Option& rule = *config::schema::root().child("server")->child("rproxy")->child("rules")->child("rule");
  int number = 0;
  for (const auto* element : config::schema::find(document, {"server", "rproxy", "rules", "rule"})) {
    text += of_rule(*element, rule, fmt::format("rproxy_rule_{}_", ++number));
  }
  for (const auto* command : config::schema::find(document, {"default", "aspshell_commands", "command"})) {
    text += line("aspshell_command", command->text);
  }
  return text;
}

// A user in the file may have no account, and so no home directory.
std::string expanded(const std::string& docroot, const std::string& user) {
  return docroot.starts_with("$(home)") && !accounts::exists(user) ? docroot : file_access::expand(docroot, user);
}

// `sections` is in the order of precedence. If `user` is empty, $(user) stays.
std::string of_account(const std::vector<Elements>& sections, const std::string& user) {
  std::string text;
  for (const auto& item : config::schema::items({"default"})) {
    const Element* found = nullptr;
    for (const auto& section : sections) {
      if (!found) found = config::schema::first_given(config::schema::at(section, item.path));
    }
    std::string value = value_of(found, item.option());
    const bool docroot = item.option().value == Value::docroot;
    if (docroot && !user.empty()) value = expanded(value, user);
    text += line(item.name, value);
    if (docroot)
      text += line("canonical_absolute", value.find("$(") != value.npos ? value : file_access::canonical(value));
  }
  return text;
}

}  // namespace

std::string of_user(const std::string& path, const std::string& user) {
  if (!accounts::exists(user)) throw tool::Failure(tool::no, fmt::format("{}: no such user", user));
  const Element document = config::load_document(path);
  return line("user", user) + of_account(file_access::sections(document, user), user) +
         line("docroot_enforced_by", file_access::enforced_by(file_access::of_user(document, user)));
}

std::string of_group(const std::string& path, const std::string& group) {
  const Element document = config::load_document(path);
  Elements sections = file_access::all_groups(document);
  std::erase_if(sections, [&](const Element* section) { return file_access::name_of(*section) != group; });
  if (sections.empty() && ::getgrnam(group.c_str()) == nullptr)
    throw tool::Failure(tool::no, fmt::format("{}: no such group", group));
  return line("group", group) + of_account({sections, config::schema::find(document, {"default"})}, "");
}

std::string everything(const std::string& path) {
  const Element document = config::load_document(path);
  const Elements defaults = config::schema::find(document, {"default"});
  std::string text = of_server(document) + of_account({defaults}, "");
  for (const auto* user : file_access::all_users(document)) {
    const std::string name = file_access::name_of(*user);
    text += "\n" + line("user", name) + of_account({{user}, defaults}, name);
  }
  for (const auto* group : file_access::all_groups(document)) {
    text += "\n" + line("group", file_access::name_of(*group)) + of_account({{group}, defaults}, "");
  }
  return text;
}

}  // namespace asuserdata
