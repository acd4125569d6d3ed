#include "auth_info.h"

#include <fcntl.h>
#include <openssl/evp.h>

#include <array>
#include <vector>

#include "env.h"
#include "fd.h"
#include "io.h"
#include "tool.h"

namespace auth_info {
namespace {

constexpr std::size_t kMaxBytes = 65536;

std::string base64(const unsigned char* bytes, std::size_t length) {
  std::string text((length + 2) / 3 * 4 + 1, '\0');
  text.resize(static_cast<std::size_t>(::EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes, static_cast<int>(length))));
  while (!text.empty() && text.back() == '=') text.pop_back();
  return text;
}

// Absent (empty) when `text` is not base64.
std::vector<unsigned char> decode(const std::string& text) {
  std::vector<unsigned char> bytes(text.size());
  const int length = ::EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (length <= 0) return {};
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  bytes.resize(static_cast<std::size_t>(length) - padding);
  return bytes;
}

// The word number `index` of `line`, from 0; empty when there are fewer.
std::string word(std::string_view line, int index) {
  for (; index > 0; --index) {
    const auto space = line.find(' ');
    if (space == line.npos) return {};
    line.remove_prefix(space + 1);
  }
  return std::string(line.substr(0, line.find(' ')));
}

}  // namespace

std::string fingerprint(std::string_view text) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (word(line, 0) != "publickey" || word(line, 1).empty()) continue;
    const auto key = decode(word(line, 2));
    if (key.empty()) continue;
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned length = 0;
    if (::EVP_Digest(key.data(), key.size(), digest.data(), &length, ::EVP_sha256(), nullptr) != 1) return {};
    return "SHA256:" + base64(digest.data(), length);
  }
  return {};
}

std::string of_this_session() {
  const auto path = env::get("SSH_USER_AUTH");
  if (!path) return {};
  try {
    const Fd file = fd::open(*path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
    return fingerprint(io::read_all(file.get(), kMaxBytes, *path));
  } catch (const tool::Failure&) {
    return {};  // sshd took it away already: the log line goes without
  }
}

}  // namespace auth_info
