// base/cut: splits text into lines, words and fields. The results refer to the text, which
// must outlive them.
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

// Each line without its newline; the last one may lack it. None for an empty text.
Views lines(std::string_view text);
// The words between `separators`, of which there may be several in a row.
Views words(std::string_view text, std::string_view separators = kBlank);
// The fields between separators, empty or not; an empty text has one.
Views fields(std::string_view text, char separator);

// Removes the blanks at both ends.
std::string_view trimmed(std::string_view text, std::string_view blanks = kBlank);

// Not for a temporary text, which would be gone before the results are used.
template <std::same_as<std::string> Text>
Views lines(Text&&) = delete;
template <std::same_as<std::string> Text>
Views words(Text&&, std::string_view = kBlank) = delete;
template <std::same_as<std::string> Text>
Views fields(Text&&, char) = delete;
template <std::same_as<std::string> Text>
std::string_view trimmed(Text&&, std::string_view = kBlank) = delete;

}  // namespace cut
