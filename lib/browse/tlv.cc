#include "browse/tlv.h"

#include <type_traits>

namespace browse {
namespace {

template <typename Integer>
void put_big_endian(std::string& out, Integer value) {
  const auto bits = static_cast<std::make_unsigned_t<Integer>>(value);
  char bytes[sizeof value];
  for (std::size_t i = 0; i < sizeof value; ++i)
    bytes[i] = static_cast<char>(bits >> (8 * (sizeof value - 1 - i)) & 0xff);
  out.append(bytes, sizeof bytes);
}

void put_head(std::string& out, std::uint8_t type, std::size_t length) {
  out += static_cast<char>(type);
  put_big_endian(out, static_cast<std::uint32_t>(length));
}

template <typename Integer>
std::optional<Integer> integer_in(std::string_view value) {
  if (value.size() != sizeof(Integer)) return std::nullopt;
  std::make_unsigned_t<Integer> bits = 0;
  for (const char byte : value)
    bits = static_cast<std::make_unsigned_t<Integer>>(bits << 8 | static_cast<unsigned char>(byte));
  return static_cast<Integer>(bits);
}

}  // namespace

std::string head(std::uint8_t type, std::uint32_t length) {
  std::string bytes;
  put_head(bytes, type, length);
  return bytes;
}

void put(std::string& out, std::uint8_t type, std::string_view value) {
  put_head(out, type, value.size());
  out += value;
}

void put_int32(std::string& out, std::uint8_t type, std::int32_t value) {
  put_head(out, type, sizeof value);
  put_big_endian(out, value);
}

void put_int64(std::string& out, std::uint8_t type, std::int64_t value) {
  put_head(out, type, sizeof value);
  put_big_endian(out, value);
}

void put_text(std::string& out, std::uint8_t type, std::string_view text) {
  text = text.substr(0, text.find('\0'));
  put_head(out, type, text.size() + 1);
  out += text;
  out += '\0';
}

std::optional<std::vector<Field>> fields(std::string_view value) {
  std::vector<Field> found;
  while (!value.empty()) {
    if (value.size() < kHeadSize || found.size() == kMaxFields) return std::nullopt;
    const auto length = static_cast<std::uint32_t>(*integer_in<std::int32_t>(value.substr(1, 4)));
    if (value.size() - kHeadSize < length) return std::nullopt;
    found.push_back({static_cast<std::uint8_t>(value[0]), value.substr(kHeadSize, length)});
    value.remove_prefix(kHeadSize + length);
  }
  return found;
}

std::optional<std::int32_t> int32_in(std::string_view value) { return integer_in<std::int32_t>(value); }

std::optional<std::int64_t> int64_in(std::string_view value) { return integer_in<std::int64_t>(value); }

std::optional<std::string> text_in(std::string_view value) {
  if (value.empty() || value.find('\0') != value.size() - 1) return std::nullopt;
  return std::string(value.substr(0, value.size() - 1));
}

}  // namespace browse
