#include "who/auth_info.h"

#include <fcntl.h>
#include <openssl/evp.h>

#include <array>

#include "base/base64.h"
#include "base/cut.h"
#include "base/env.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"

namespace auth_info {
namespace {

constexpr std::size_t kMaxBytes = 65536;

}  // namespace

std::string fingerprint(std::string_view text) {
  for (const auto line : cut::lines(text)) {
    const auto words = cut::fields(line, ' ');
    if (words.size() < 3 || words[0] != "publickey" || words[1].empty()) continue;
    const auto key = base64::decode(words[2]);
    if (!key) continue;
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned length = 0;
    if (::EVP_Digest(key->data(), key->size(), digest.data(), &length, ::EVP_sha256(), nullptr) != 1) return {};
    std::string fingerprint = base64::encode({reinterpret_cast<const char*>(digest.data()), length});
    while (fingerprint.ends_with('=')) fingerprint.pop_back();
    return "SHA256:" + fingerprint;
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
    return {};  // sshd has deleted it already: the log line has no fingerprint then
  }
}

}  // namespace auth_info
