#include "editor.h"

#include <algorithm>
#include <vector>

#include <fmt/core.h>

#include "base/failure.h"
#include "charset.h"

namespace asconfigurator {
namespace {

using config::schema::Elements;
using config::schema::Option;
using config::schema::Trait;
using config::xml::Element;
using Route = std::vector<const Option*>;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool is_end_of_line(char c) { return c == '\n' || c == '\r'; }
bool is_blank(std::string_view text) { return text.find_first_not_of(" \t") == text.npos; }

// --- lines: the layout of the text around an element ---------------------------

class Lines {
 public:
  explicit Lines(const std::string& text)
      : text_(text), first_(text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0) {}

  std::size_t start(std::size_t at) const {
    while (at > first_ && !is_end_of_line(text_[at - 1])) --at;
    return at;
  }

  // The position after the line end that follows `at`; absent if something else follows first.
  std::optional<std::size_t> next(std::size_t at) const {
    while (at < text_.size() && (text_[at] == ' ' || text_[at] == '\t')) ++at;
    if (at == text_.size() || !is_end_of_line(text_[at])) return std::nullopt;
    return at + (std::string_view(text_).substr(at).starts_with("\r\n") ? 2 : 1);
  }

  // The white space before `at` on its line; absent if there is anything else.
  std::optional<std::string> indent(std::size_t at) const {
    const auto before = text_.substr(start(at), at - start(at));
    if (!is_blank(before)) return std::nullopt;
    return before;
  }

  // The line end before `at`, or if there is none, the first one.
  std::string end_before(std::size_t at) const {
    std::size_t begin = start(at);
    if (begin == first_) begin = std::min(text_.find_first_of("\r\n"), text_.size());
    else begin -= begin >= 2 && text_.compare(begin - 2, 2, "\r\n") == 0 ? 2 : 1;
    if (begin == text_.size()) return "\n";
    return text_.substr(begin, text_.compare(begin, 2, "\r\n") == 0 ? 2 : 1);
  }

 private:
  const std::string& text_;
  const std::size_t first_;
};

// The additional indent of the first child of `parent` that begins its line.
std::optional<std::string> step_in(const Lines& lines, const Element& parent, const std::string& outer) {
  for (const auto& child : parent.children) {
    const auto indent = lines.indent(child.extent.begin);
    if (indent && indent->starts_with(outer)) return indent->substr(outer.size());
  }
  return std::nullopt;
}

// --- writing new elements -----------------------------------------------------------

struct Layout {
  bool lines = false;  // each tag with children is on a line of its own
  std::string indent;
  std::string step;
  std::string end;
};

struct Node {
  std::string name;
  std::string body;            // as written in the file
  std::vector<Node> children;  // instead of a body
};

void write(const Node& node, const Layout& layout, const std::string& indent, std::string& out) {
  if (layout.lines) out += indent;
  out += "<" + node.name + ">" + node.body;
  if (layout.lines && !node.children.empty()) out += layout.end;
  for (const auto& child : node.children) write(child, layout, indent + layout.step, out);
  if (layout.lines && !node.children.empty()) out += indent;
  out += "</" + node.name + ">";
  if (layout.lines) out += layout.end;
}

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

bool is_empty_tag(const Element& element) { return element.extent.end == element.extent.body; }

// Replaces the body of `element` and keeps its tags; <a/> becomes <a></a>.
void replace_body(std::string& text, const Element& element, const std::string& body) {
  const auto& extent = element.extent;
  if (!is_empty_tag(element)) {
    text.replace(extent.body, extent.body_end - extent.body, body);
    return;
  }
  const std::size_t slash = text.find_last_not_of(" \t\r\n", extent.end - 3) + 1;
  text.replace(slash, extent.end - slash, ">" + body + "</" + element.name + ">");
}

void remove(std::string& text, const Element& element) {
  const Lines lines(text);
  std::size_t begin = element.extent.begin;
  std::size_t end = element.extent.end;
  const auto next = lines.next(end);
  if (lines.indent(begin) && next) {
    begin = lines.start(begin);
    end = *next;
  }
  text.erase(begin, end - begin);
}

// The layout of children of `parent`, when `outer` is the indent of its own tag; `at` is where they
// go.
Layout layout_of(const Lines& lines, const Element& document, const Element& parent, const std::string& outer,
                 std::size_t at) {
  const auto own = step_in(lines, parent, outer);
  const auto usual = step_in(lines, document, lines.indent(document.extent.begin).value_or(""));
  Layout layout;
  layout.lines = true;
  layout.step = own.value_or(usual.value_or(outer.ends_with('\t') ? "\t" : "  "));
  layout.indent = outer + layout.step;
  layout.end = lines.end_before(at);
  for (const auto& child : parent.children) {
    if (const auto indent = lines.indent(child.extent.begin)) layout.indent = *indent;
  }
  return layout;
}

std::string written(const Node& node, const Layout& layout) {
  std::string text;
  write(node, layout, layout.indent, text);
  return text;
}

void insert(std::string& text, const Element& document, const Element& parent, const Node& node) {
  const Lines lines(text);
  const auto& extent = parent.extent;
  const std::size_t line = lines.start(extent.body_end);
  const auto before_start = lines.indent(extent.begin);
  const auto before_end = lines.indent(extent.body_end);
  if (!is_empty_tag(parent) && line >= extent.body && before_end) {
    // The end tag begins its line: the new lines go before it.
    text.insert(line, written(node, layout_of(lines, document, parent, *before_end, extent.body_end)));
  } else if (before_start && extent.body == extent.body_end) {
    // The element begins its line, and is empty: it becomes several lines.
    const Layout layout = layout_of(lines, document, parent, *before_start, extent.begin);
    replace_body(text, parent, layout.end + written(node, layout) + *before_start);
  } else if (is_empty_tag(parent)) {
    replace_body(text, parent, written(node, {}));
  } else {
    text.insert(extent.body_end, written(node, {}));
  }
}

// The missing part of the route, with the account's name if that is missing, too.
Node missing(const Change& change, const Route& route, std::size_t depth, Charset charset) {
  Node node{std::string(route.back()->name), escaped(*change.value, charset), {}};
  for (std::size_t i = route.size() - 1; i-- > depth;) {
    Node parent{std::string(route[i]->name), "", {}};
    if (i + 1 == change.section.size() && !change.account.empty())
      parent.children.push_back({"name", escaped(change.account, charset), {}});
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
      insert(edited.text, document, *reached.elements[0], missing(change, route, reached.depth, charset_of(text)));
    return edited;
  }
  const Element* given = config::schema::first_given(reached.elements);
  if (given) edited.before = given->text;
  if (!change.value) {
    // Removes from the back, so that earlier positions stay valid.
    for (auto each = reached.elements.rbegin(); each != reached.elements.rend(); ++each) remove(edited.text, **each);
  } else if (edited.before != change.value) {
    replace_body(edited.text, given ? *given : *reached.elements[0], escaped(*change.value, charset_of(text)));
  }
  return edited;
}

}  // namespace asconfigurator
