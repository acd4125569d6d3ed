#include "spec.h"

#include <map>

#include <fmt/core.h>

#include "config/schema.h"

namespace asuserdata {
namespace {

using config::schema::Option;
using config::schema::Value;

constexpr std::size_t kCommentColumn = 60;

// The headings of the sections, in the guide's words.
constexpr std::pair<std::string_view, std::string_view> kHeads[] = {
    {"server", "Server Options Spec"},
    {"default", "Default Options Spec"},
    {"aaa", "User and Group Options Spec"},
};

class Printer {
 public:
  explicit Printer(Names names) {
    if (names == Names::no) return;
    name_items({"server"});
    name_items({"default"});
  }

  std::string document() {
    out_ = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CONF version=\"2\">\n";
    for (const auto& section : config::schema::root().children) {
      for (const auto& [name, head] : kHeads) {
        if (name == section.name) out_ += fmt::format("  <!-- {} -->\n", head);
      }
      print(section, 1);
    }
    return out_ + "</CONF>\n";
  }

 private:
  // Options of one account have the same names as the defaults for all; their Option objects are the same or
  // alike.
  void name_items(const config::schema::Path& section) {
    for (auto& item : config::schema::items(section)) names_[&item.option()] = std::move(item.name);
  }

  void line(int depth, const std::string& element, const std::string& comment) {
    std::string text = std::string(static_cast<std::size_t>(depth) * 2, ' ') + element;
    if (!comment.empty()) {
      text.resize(std::max(text.size() + 1, kCommentColumn), ' ');
      text += "<!-- " + comment + " -->";
    }
    out_ += text + "\n";
  }

  std::string comment_on(const Option& option) const {
    std::string comment;
    if (const auto name = names_.find(&option); name != names_.end()) comment = name->second + ": ";
    comment += fmt::format("{}: {}", option.meaning, config::schema::expected(option));
    if (option.is(config::schema::addition)) comment += " (not in the original)";
    return comment;
  }

  static std::string attributes_of(const Option& option) {
    std::string text;
    for (const auto& attribute : option.attributes) {
      text += fmt::format("{}{}=\"{}\"", text.empty() ? "; attributes: " : " ", attribute.name,
                          config::schema::expected(attribute));
    }
    return text;
  }

  void print(const Option& option, int depth) {
    if (option.value == Value::elements) return print_elements(option, depth);
    const std::string element = fmt::format("<{0}>{1}</{0}>", option.name, option.standard);
    // An option that must not be empty is written as a comment, so that the file is valid.
    if (option.is(config::schema::explicit_))
      out_ +=
          fmt::format("{:{}}<!-- {}  {}{} -->\n", "", depth * 2, element, comment_on(option), attributes_of(option));
    else line(depth, element, comment_on(option));
  }

  void print_elements(const Option& option, int depth) {
    line(depth, fmt::format("<{}>", option.name), std::string(option.meaning) + attributes_of(option));
    for (const auto& child : option.children) print(child, depth + 1);
    line(depth, fmt::format("</{}>", option.name), "");
  }

  std::map<const Option*, std::string> names_;
  std::string out_;
};

}  // namespace

std::string spec(Names names) { return Printer(names).document(); }

}  // namespace asuserdata
