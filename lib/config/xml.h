// config/xml: aspera.conf as a tree of elements that know where they stand.
// The only user of expat.
//
// Read defensively: at most 4 MiB, 64 levels, UTF-8, US-ASCII or ISO-8859-1 (not
// UTF-16), no document type declaration (so no entity bombs and no external entities).
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace config::xml {

constexpr std::size_t kMaxBytes = 4 * 1024 * 1024;
constexpr int kMaxDepth = 64;

struct Position {
  unsigned long line = 0;
  unsigned long column = 0;  // both from 1
};

// The place of an element in the parsed text, in bytes: its start tag is [begin, body), its content
// [body, body_end), its end tag [body_end, end). For an empty-element tag, all but `begin` stand at
// its end.
struct Extent {
  std::size_t begin = 0;
  std::size_t body = 0;
  std::size_t body_end = 0;
  std::size_t end = 0;
};

struct Element {
  std::string name;
  std::vector<std::pair<std::string, std::string>> attributes;
  std::string text;  // its own character data, trimmed, comments left out
  Position position;
  Extent extent;
  std::vector<Element> children;

  // The first child of that name; absent: nullptr.
  const Element* child(std::string_view wanted) const;
};

// `file` is the name for messages. Failure{78} "file:line:column: why".
Element parse(std::string_view text, const std::string& file);

[[noreturn]] void fail(const std::string& file, const Position& position, const std::string& why);

}  // namespace config::xml
