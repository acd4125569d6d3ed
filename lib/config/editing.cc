#include "config/editing.h"

#include <algorithm>
#include <optional>

#include <fmt/core.h>

namespace config::editing {
namespace {

using xml::Element;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool is_end_of_line(char c) { return c == '\n' || c == '\r'; }
bool is_blank(std::string_view text) { return text.find_first_not_of(" \t") == text.npos; }

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

struct Layout {
  bool lines = false;  // each tag with children is on a line of its own
  std::string indent;
  std::string step;
  std::string end;
};

void write(const Node& node, const Layout& layout, const std::string& indent, std::string& out) {
  if (layout.lines) out += indent;
  out += "<" + node.name;
  for (const auto& [name, value] : node.attributes) out += fmt::format(" {}=\"{}\"", name, value);
  out += ">" + node.body;
  if (layout.lines && !node.children.empty()) out += layout.end;
  for (const auto& child : node.children) write(child, layout, indent + layout.step, out);
  if (layout.lines && !node.children.empty()) out += indent;
  out += "</" + node.name + ">";
  if (layout.lines) out += layout.end;
}

bool is_empty_tag(const Element& element) { return element.extent.end == element.extent.body; }

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

}  // namespace

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

}  // namespace config::editing
