#include "config/xml.h"

#include <algorithm>

#include <expat.h>
#include <fmt/core.h>

#include "base/cut.h"
#include "base/failure.h"

namespace config::xml {
namespace {

// The parser's position. Uses expat's 64-bit calls where it has them, since it has deprecated the
// others.
template <typename Parser>
Position position_of(Parser parser) {
  if constexpr (requires { XML_GetCurrentLineNumber64(parser); }) {
    return {XML_GetCurrentLineNumber64(parser), XML_GetCurrentColumnNumber64(parser) + 1};
  } else {
    return {XML_GetCurrentLineNumber(parser), XML_GetCurrentColumnNumber(parser) + 1};
  }
}

template <typename Parser>
std::size_t offset_of(Parser parser) {
  if constexpr (requires { XML_GetCurrentByteIndex64(parser); }) {
    return static_cast<std::size_t>(XML_GetCurrentByteIndex64(parser));
  } else {
    return static_cast<std::size_t>(XML_GetCurrentByteIndex(parser));
  }
}

template <typename Parser>
std::size_t length_of(Parser parser) {
  if constexpr (requires { XML_GetCurrentByteCount64(parser); }) {
    return XML_GetCurrentByteCount64(parser);
  } else {
    return static_cast<std::size_t>(XML_GetCurrentByteCount(parser));
  }
}

// Receives expat's callbacks. Nothing is thrown through expat: a fault stops the parser and is thrown
// afterwards.
struct Builder {
  XML_Parser parser;
  Element root;                // holds the document element as its only child
  std::vector<Element*> open;  // from the root to the innermost open element
  std::string fault;
  Position fault_position;

  Position here() const { return position_of(parser); }

  std::size_t offset() const { return offset_of(parser); }
  std::size_t length() const { return length_of(parser); }

  void stop(const std::string& why) {
    if (!fault.empty()) return;
    fault = why;
    fault_position = here();
    XML_StopParser(parser, XML_FALSE);
  }

  static void start(void* self, const XML_Char* name, const XML_Char** attributes) noexcept {
    auto& builder = *static_cast<Builder*>(self);
    if (builder.open.size() > static_cast<std::size_t>(kMaxDepth)) {
      return builder.stop(fmt::format("elements nested deeper than {}", kMaxDepth));
    }
    Element element;
    element.name = name;
    element.position = builder.here();
    element.extent.begin = builder.offset();
    element.extent.body = element.extent.begin + builder.length();
    for (; *attributes; attributes += 2) element.attributes.emplace_back(attributes[0], attributes[1]);
    auto& siblings = builder.open.back()->children;
    siblings.push_back(std::move(element));
    builder.open.push_back(&siblings.back());
  }

  static void end(void* self, const XML_Char*) noexcept {
    auto& builder = *static_cast<Builder*>(self);
    auto& element = *builder.open.back();
    element.text = std::string(cut::trimmed(element.text));
    // The end event of an empty-element tag stands where the tag begins, with no length.
    element.extent.body_end = std::max(builder.offset(), element.extent.body);
    element.extent.end = std::max(builder.offset() + builder.length(), element.extent.body);
    builder.open.pop_back();
  }

  static void text(void* self, const XML_Char* bytes, int length) noexcept {
    static_cast<Builder*>(self)->open.back()->text.append(bytes, static_cast<std::size_t>(length));
  }

  static void doctype(void* self, const XML_Char*, const XML_Char*, const XML_Char*, int) noexcept {
    static_cast<Builder*>(self)->stop("document type declarations are not allowed here; delete <!DOCTYPE ...>");
  }
};

// What an administrator can do about expat's complaint; empty if there is nothing to add.
std::string hint(XML_Error error, const Builder& builder, std::string_view text) {
  const bool inside = builder.open.size() > 1;
  switch (error) {
    case XML_ERROR_NO_ELEMENTS:
    case XML_ERROR_TAG_MISMATCH:
    case XML_ERROR_UNCLOSED_TOKEN:
      if (!inside) return "; expected <CONF version=\"2\">";
      return fmt::format("; <{}> of line {} is still open", builder.open.back()->name,
                         builder.open.back()->position.line);
    case XML_ERROR_UNDEFINED_ENTITY: return "; there are only &amp; &lt; &gt; &quot; &apos; and &#number;";
    case XML_ERROR_INVALID_TOKEN: {
      const auto before = text.substr(0, builder.offset());
      if (const auto last = before.find_last_of("&;<> \n"); last != before.npos && before[last] == '&')
        return "; for an ampersand write &amp;";
      if (before.size() < text.size() && static_cast<unsigned char>(text[before.size()]) >= 0x80)
        return "; this character cannot stand here, or the file is not in the encoding that it claims";
      return {};
    }
    default: return {};
  }
}

}  // namespace

const Element* Element::child(std::string_view wanted) const {
  for (const auto& element : children) {
    if (element.name == wanted) return &element;
  }
  return nullptr;
}

void fail(const std::string& file, const Position& position, const std::string& why) {
  throw tool::Failure(tool::config, fmt::format("{}:{}:{}: {}", file, position.line, position.column, why));
}

Element parse(std::string_view text, const std::string& file) {
  if (text.size() > kMaxBytes) {
    throw tool::Failure(tool::config, fmt::format("{}: larger than {} bytes", file, kMaxBytes));
  }
  if (text.starts_with("\xFE\xFF") || text.starts_with("\xFF\xFE") || text.substr(0, 2).find('\0') != text.npos) {
    fail(file, {1, 1}, "is UTF-16; save it as UTF-8");
  }
  const std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> parser(XML_ParserCreate(nullptr), XML_ParserFree);
  if (!parser) throw std::bad_alloc();
  Builder builder{parser.get(), {}, {}, {}, {}};
  builder.open.push_back(&builder.root);
  XML_SetUserData(parser.get(), &builder);
  XML_SetElementHandler(parser.get(), Builder::start, Builder::end);
  XML_SetCharacterDataHandler(parser.get(), Builder::text);
  XML_SetStartDoctypeDeclHandler(parser.get(), Builder::doctype);
  if (XML_Parse(parser.get(), text.data(), static_cast<int>(text.size()), 1) != XML_STATUS_OK) {
    if (!builder.fault.empty()) fail(file, builder.fault_position, builder.fault);
    const XML_Error error = XML_GetErrorCode(parser.get());
    fail(file, builder.here(), XML_ErrorString(error) + hint(error, builder, text));
  }
  return std::move(builder.root.children.at(0));
}

}  // namespace config::xml
