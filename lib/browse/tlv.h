// browse/tlv: what ascmd writes: values with a type and a length in front.
//
//   type 1 byte, length 4 bytes big endian, value
//
// Integers are big endian, times seconds since 1970, text ends in a NUL.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace browse {

constexpr std::size_t kHeadSize = 5;
constexpr std::uint64_t kMaxValue = 0xffffffff;  // bytes
constexpr std::size_t kMaxFields = 2'000'000;    // more than entries that ascmd lists

std::string head(std::uint8_t type, std::uint32_t length);

// These append to `out`. A value is at most kMaxValue long; text ends at its first NUL.
void put(std::string& out, std::uint8_t type, std::string_view value);
void put_int32(std::string& out, std::uint8_t type, std::int32_t value);
void put_int64(std::string& out, std::uint8_t type, std::int64_t value);
void put_text(std::string& out, std::uint8_t type, std::string_view text);

struct Field {
  std::uint8_t type;
  std::string_view value;  // of the text that was read
};
// All fields of `value`; absent: it is not a sequence of whole fields, or has more than kMaxFields.
std::optional<std::vector<Field>> fields(std::string_view value);

// Absent: of another length, or without the NUL at its end, or with another one.
std::optional<std::int32_t> int32_in(std::string_view value);
std::optional<std::int64_t> int64_in(std::string_view value);
std::optional<std::string> text_in(std::string_view value);

}  // namespace browse
