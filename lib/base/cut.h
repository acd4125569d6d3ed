// base/cut: text cut into lines, words and fields. What comes back looks into the text,
// which must outlive it.
//
//   for (const auto line : cut::lines(table))
//     if (const auto words = cut::words(line); words.size() > 3) …
#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <vector>

namespace cut {

constexpr std::string_view kBlank = " \t\r\n\v\f";

using Views = std::vector<std::string_view>;

// Each without its newline; the last may lack one. None of an empty text.
Views lines(std::string_view text);
// What stands between any of `separators`, of which there may be several in a row.
Views words(std::string_view text, std::string_view separators = kBlank);
// What stands between each `separator`, empty or not; one, of an empty text.
Views fields(std::string_view text, char separator);

// Without the blanks at both ends.
std::string_view trimmed(std::string_view text, std::string_view blanks = kBlank);

// Not of a text that is gone before they are looked at.
template <std::same_as<std::string> Text>
Views lines(Text&&) = delete;
template <std::same_as<std::string> Text>
Views words(Text&&, std::string_view = kBlank) = delete;
template <std::same_as<std::string> Text>
Views fields(Text&&, char) = delete;
template <std::same_as<std::string> Text>
std::string_view trimmed(Text&&, std::string_view = kBlank) = delete;

}  // namespace cut
