#include "basic_auth.h"

#include <algorithm>

#include <strings.h>

#include "base/base64.h"

namespace asperanoded {
namespace basic_auth {
namespace {

bool is_control(char byte) { return static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f; }

}  // namespace

std::optional<Credentials> parse(std::string_view header) {
  constexpr std::string_view kScheme = "Basic ";
  if (header.size() > kMaxHeader || header.size() < kScheme.size()) return std::nullopt;
  if (::strncasecmp(header.data(), kScheme.data(), kScheme.size()) != 0) return std::nullopt;
  header.remove_prefix(kScheme.size());
  while (header.starts_with(' ')) header.remove_prefix(1);
  const auto text = base64::decode(header);
  if (!text || std::any_of(text->begin(), text->end(), is_control)) return std::nullopt;
  const auto colon = text->find(':');
  if (colon == 0 || colon == text->npos) return std::nullopt;
  return Credentials{text->substr(0, colon), text->substr(colon + 1)};
}

}  // namespace basic_auth
}  // namespace asperanoded
