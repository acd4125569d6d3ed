#include "charset.h"

#include <algorithm>
#include <cctype>
#include <cstdint>

#include <fmt/core.h>

namespace asconfigurator {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Takes the first code point off valid UTF-8 text, which is not empty.
std::uint32_t take_character(std::string_view& text) {
  const auto head = static_cast<unsigned char>(text[0]);
  const std::size_t length = head < 0x80 ? 1 : head < 0xe0 ? 2 : head < 0xf0 ? 3 : 4;
  std::uint32_t character = length == 1 ? head : head & (0x7fu >> length);
  for (std::size_t i = 1; i < length && i < text.size(); ++i)
    character = character << 6 | (static_cast<unsigned char>(text[i]) & 0x3fu);
  text.remove_prefix(std::min(length, text.size()));
  return character;
}

}  // namespace

Charset charset_of(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (!text.starts_with("<?xml")) return Charset::utf8;
  text = text.substr(0, text.find("?>"));
  const auto name = text.find("encoding");
  if (name == text.npos) return Charset::utf8;
  const auto quote = text.find_first_of("'\"", name);
  if (quote == text.npos) return Charset::references;
  text.remove_prefix(quote + 1);
  std::string encoding(text.substr(0, text.find_first_of("'\"")));
  std::transform(encoding.begin(), encoding.end(), encoding.begin(), [](unsigned char c) { return std::tolower(c); });
  return encoding == "utf-8" ? Charset::utf8 : Charset::references;
}

std::string escaped(std::string_view value, Charset charset) {
  std::string out;
  while (!value.empty()) {
    const char c = value[0];
    if (static_cast<unsigned char>(c) >= 0x80 && charset == Charset::references) {
      out += fmt::format("&#{};", take_character(value));
      continue;
    }
    if (c == '&') out += "&amp;";
    else if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else out += c;
    value.remove_prefix(1);
  }
  return out;
}

}  // namespace asconfigurator
