// digest: SHA-256 of the transferred data, the keyed token in a UDP hello, and random names and keys.
// The only user of OpenSSL.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace asp_cp {

class Sha256 {
 public:
  static constexpr std::size_t kHexLength = 64;

  Sha256();
  void add(const void* bytes, std::size_t count);
  void restart();
  // The digest of everything added so far, in lower case hex; more may be added.
  std::string hex() const;

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

// HMAC-SHA-256 (RFC 2104).
std::array<std::uint8_t, 32> keyed_digest(std::string_view key, std::string_view text);

// Compares in constant time.
bool equal_secrets(std::string_view one, std::string_view other);

// `bytes` random bytes from the system's generator, in lower case hex.
std::string random_hex(std::size_t bytes);

}  // namespace asp_cp
