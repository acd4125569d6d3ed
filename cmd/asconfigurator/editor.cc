#include "editor.h"

#include <algorithm>
#include <vector>

#include <fmt/core.h>

#include "base/failure.h"
#include "charset.h"
#include "config/editing.h"

namespace asconfigurator {
namespace {

using config::editing::Node;
using config::schema::Elements;
using config::schema::Option;
using config::schema::Trait;
using config::xml::Element;
using Route = std::vector<const Option*>;

// --- finding the place ----------------------------------------------------------------------

Route route_of(const Change& change) {
  Route route;
  const Option* option = &config::schema::root();
  for (const auto name : change.section) route.push_back(option = option->child(name));
  route.insert(route.end(), change.item.path.begin(), change.item.path.end());
  return route;
}

void keep_named(Elements& accounts, const std::string& wanted) {
  std::erase_if(accounts, [&](const Element* each) {
    const Element* name = each->child("name");
    return !name || name->text != wanted;
  });
}

[[noreturn]] void fail_several(const std::string& file, const Change& change, const Elements& found) {
  constexpr std::size_t kShownLines = 10;
  std::string at;
  for (std::size_t i = 0; i < std::min(found.size(), kShownLines); ++i) {
    at += fmt::format("{}{}", i == 0 ? "" : i + 1 == found.size() ? " and " : ", ", found[i]->position.line);
  }
  if (found.size() > kShownLines) at += " and so on";
  throw tool::Failure(tool::config, fmt::format("{}: {}: there are {} <{}>, on lines {}; edit the file", file,
                                                change.item.name, found.size(), found[0]->name, at));
}

void check_single(const Elements& parents, const Option* option, const Change& change, const std::string& file) {
  for (const auto* parent : parents) {
    const Elements found = config::schema::at({parent}, {option});
    if (found.size() > 1) fail_several(file, change, found);
  }
}

// The existing elements on the route to a value.
struct Reached {
  Elements elements;
  std::size_t depth;  // how many steps of the route exist; all of them: these are the value's own elements
};

Reached follow(const Element& document, const Route& route, const Change& change, const std::string& file) {
  Reached reached{{&document}, 0};
  for (; reached.depth < route.size(); ++reached.depth) {
    Elements below = config::schema::at(reached.elements, {route[reached.depth]});
    if (reached.depth + 1 == change.section.size() && !change.account.empty()) keep_named(below, change.account);
    const bool choice = reached.depth >= change.section.size() && route[reached.depth]->is(Trait::repeats);
    if (choice) check_single(reached.elements, route[reached.depth], change, file);
    if (below.empty()) break;
    reached.elements = std::move(below);
  }
  return reached;
}

// --- the edits ----------------------------------------------------------------------------

// The missing part of the route, with the account's name if that is missing, too.
Node missing(const Change& change, const Route& route, std::size_t depth, Charset charset) {
  Node node{std::string(route.back()->name), escaped(*change.value, charset), {}, {}};
  for (std::size_t i = route.size() - 1; i-- > depth;) {
    Node parent{std::string(route[i]->name), "", {}, {}};
    if (i + 1 == change.section.size() && !change.account.empty())
      parent.children.push_back({"name", escaped(change.account, charset), {}, {}});
    parent.children.push_back(std::move(node));
    node = std::move(parent);
  }
  return node;
}

}  // namespace

Edited apply(const std::string& text, const Change& change, const std::string& file) {
  const Element document = config::xml::parse(text, file);
  const Route route = route_of(change);
  const Reached reached = follow(document, route, change, file);
  Edited edited{text, std::nullopt};
  if (reached.depth < route.size()) {
    if (change.value)
      config::editing::insert(edited.text, document, *reached.elements[0],
                              missing(change, route, reached.depth, charset_of(text)));
    return edited;
  }
  const Element* given = config::schema::first_given(reached.elements);
  if (given) edited.before = given->text;
  if (!change.value) {
    // Removes from the back, so that earlier positions stay valid.
    for (auto each = reached.elements.rbegin(); each != reached.elements.rend(); ++each)
      config::editing::remove(edited.text, **each);
  } else if (edited.before != change.value) {
    config::editing::replace_body(edited.text, given ? *given : *reached.elements[0],
                                  escaped(*change.value, charset_of(text)));
  }
  return edited;
}

}  // namespace asconfigurator
