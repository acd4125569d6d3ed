#include "who/file_access.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <optional>
#include <string_view>

#include "base/accounts.h"
#include "base/confine.h"
#include "config/value.h"

namespace file_access {
namespace {

using config::schema::Elements;
using config::schema::Path;
using config::xml::Element;

constexpr std::string_view kHome = "$(home)";

void replace_all(std::string& text, std::string_view variable, const std::string& value) {
  for (auto at = text.find(variable); at != text.npos; at = text.find(variable, at + value.size()))
    text.replace(at, variable.size(), value);
}

// The elements at `path` below `section`, by name.
Elements below(const Elements& section, const Path& path) {
  Elements found = section;
  for (const auto name : path) {
    Elements next;
    for (const auto* element : found) {
      for (const auto& child : element->children) {
        if (child.name == name) next.push_back(&child);
      }
    }
    found = std::move(next);
  }
  return found;
}

// The first value that is given below `section`; empty: none.
std::string given(const Elements& section, const Path& path) {
  const Element* found = config::schema::first_given(below(section, path));
  return found ? found->text : "";
}

std::string given_in_any(const std::vector<Elements>& all, const Path& path) {
  for (const auto& section : all) {
    if (auto text = given(section, path); !text.empty()) return text;
  }
  return {};
}

const Path kPaths = {"file_system", "access", "paths", "path"};

// A right of `area`, which stands in the section number `at`: a section before it decides, then the area itself, then
// those after it.
bool right(const std::vector<Elements>& all, std::size_t at, const Element& area, std::string_view name) {
  Path path = kPaths;
  path.push_back(name);
  std::string text;
  for (std::size_t i = 0; i < all.size() && text.empty(); ++i)
    text = i == at ? given({&area}, {name}) : given(all[i], path);
  return text.empty() || config::value::boolean(text).value_or(false);
}

std::vector<Area> areas(const std::vector<Elements>& all, const std::string& user) {
  std::vector<Area> found;
  for (std::size_t at = 0; at < all.size() && found.empty(); ++at) {
    for (const auto* area : below(all[at], kPaths)) {
      const std::string path = given({area}, {"absolute"});
      if (path.empty()) continue;
      found.push_back({expand(path, user), right(all, at, *area, "read_allowed"),
                       right(all, at, *area, "write_allowed"), right(all, at, *area, "dir_allowed")});
    }
  }
  return found;
}

Transfer transfer(const std::string& word) {
  if (word == "token") return Transfer::token;
  return word.empty() || word == "allow" ? Transfer::allow : Transfer::deny;
}

// One that is switched off for a while serves nobody: its users' docroots are those of servers inside.
bool is_proxy(const Element& document) {
  return given({&document}, {"server", "rproxy", "enabled"}) == "true" ||
         !config::schema::find(document, {"server", "rproxy", "rules", "rule"}).empty();
}

}  // namespace

Elements all_users(const Element& document) {
  return config::schema::find(document, {"aaa", "realms", "realm", "users", "user"});
}

Elements all_groups(const Element& document) {
  return config::schema::find(document, {"aaa", "realms", "realm", "groups", "group"});
}

std::string name_of(const Element& user_or_group) {
  const Element* name = user_or_group.child("name");
  return name ? name->text : "";
}

std::string expand(const std::string& path, const std::string& user) {
  std::string out = path;
  if (out.starts_with(kHome)) out.replace(0, kHome.size(), accounts::home_of(user));
  replace_all(out, "$(user)", user);
  replace_all(out, "$(name)", user);
  return out;
}

std::string enforced_by(const Access& access) {
  if (access.areas.empty()) return "";
  if (!access.here) return "server";
  if (!access.areas[0].path.starts_with('/')) return "refusal";
  if (confine::has_landlock()) return "kernel";
  return access.landlock_required || access.areas.size() > 1 ? "refusal" : "programs";
}

std::vector<Elements> sections(const Element& document, const std::string& user) {
  const auto groups = accounts::groups_of(user);
  std::vector<Elements> found(1);
  const auto users = all_users(document);
  std::copy_if(users.begin(), users.end(), std::back_inserter(found[0]),
               [&](const Element* each) { return name_of(*each) == user; });
  for (const auto* group : all_groups(document)) {
    if (std::find(groups.begin(), groups.end(), name_of(*group)) != groups.end()) found.push_back({group});
  }
  found.push_back(config::schema::find(document, {"default"}));
  return found;
}

Access of_user(const Element& document, const std::string& user) {
  const auto all = sections(document, user);
  Access found;
  found.areas = areas(all, user);
  const std::string role = given_in_any(all, {"file_system", "access", "role"});
  found.here = role.empty() ? !is_proxy(document) && !found.areas.empty() : role == "node";
  found.landlock_required = given_in_any(all, {"file_system", "access", "confinement"}) != "if_possible";
  found.uploads = transfer(given_in_any(all, {"authorization", "transfer", "in", "value"}));
  found.downloads = transfer(given_in_any(all, {"authorization", "transfer", "out", "value"}));
  return found;
}

std::string canonical(const std::string& docroot) {
  if (!docroot.starts_with('/')) return docroot;
  std::error_code error;
  const auto resolved = std::filesystem::weakly_canonical(docroot, error);
  return error ? docroot : resolved.string();
}

}  // namespace file_access
