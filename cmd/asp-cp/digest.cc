#include "digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "base/failure.h"
#include "base/hex.h"

namespace asp_cp {
namespace {

void must(bool done) {
  if (!done) throw tool::Failure(tool::internal, "libcrypto failed");
}

}  // namespace

void Sha256::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  must(context_ != nullptr);
  restart();
}

void Sha256::restart() { must(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1); }

void Sha256::add(const void* bytes, std::size_t count) { must(EVP_DigestUpdate(context_.get(), bytes, count) == 1); }

std::string Sha256::hex() const {
  std::unique_ptr<EVP_MD_CTX, Free> copy(EVP_MD_CTX_new());
  must(copy && EVP_MD_CTX_copy_ex(copy.get(), context_.get()) == 1);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  must(EVP_DigestFinal_ex(copy.get(), digest, &length) == 1);
  return hex::encode({reinterpret_cast<const char*>(digest), length});
}

std::array<std::uint8_t, 32> keyed_digest(std::string_view key, std::string_view text) {
  std::array<std::uint8_t, 32> digest{};
  unsigned int length = 0;
  must(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
            text.size(), digest.data(), &length) != nullptr &&
       length == digest.size());
  return digest;
}

bool equal_secrets(std::string_view one, std::string_view other) {
  return one.size() == other.size() && CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

std::string random_hex(std::size_t bytes) {
  std::string raw(bytes, '\0');
  must(RAND_bytes(reinterpret_cast<unsigned char*>(raw.data()), static_cast<int>(bytes)) == 1);
  return hex::encode(raw);
}

}  // namespace asp_cp
