#include "ssh/upstream_key.h"

#include <fcntl.h>

#include <fmt/core.h>
#include <libssh/libssh.h>

#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"

namespace upstream {
namespace {

[[noreturn]] void fail(const std::string& name, const char* why) {
  throw tool::Failure(tool::config, fmt::format("read key {}: {}", name, why));
}

constexpr char kUseless[] =
    "it cannot sign, since libssh does not read the public half of an Ed25519 key in PKCS#8 form; write it in "
    "OpenSSH's form by OpenSSH 9.6 or later (ssh-keygen -p -f FILE), or make another (ssh-keygen -t ed25519)";

// What a log-in sends and signs. libssh tells of a key without it only then: "Out of memory".
bool has_public_half(ssh_key_struct* key) {
  char* text = nullptr;
  const bool has = ::ssh_pki_export_pubkey_base64(key, &text) == SSH_OK;
  ::ssh_string_free_char(text);
  return has;
}

}  // namespace

void Key::Deleter::operator()(ssh_key_struct* key) const { ::ssh_key_free(key); }

Key Key::load(const std::string& path) {
  constexpr std::size_t kMaxKey = 64 * 1024;
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file) tool::fail_errno(tool::config, "open key " + path);
  try {
    return parse(io::read_all(file.get(), kMaxKey, path), path);
  } catch (const tool::Failure& failure) {
    throw tool::Failure(tool::config, failure.what());
  }
}

Key Key::parse(const std::string& text, const std::string& name) {
  // libssh asks for a passphrase only if the key has one; -1: there is none to give.
  bool encrypted = false;
  const auto asked = [](const char*, char*, std::size_t, int, int, void* encrypted_flag) {
    *static_cast<bool*>(encrypted_flag) = true;
    return -1;
  };
  Key key;
  ssh_key raw = nullptr;
  const int result = ::ssh_pki_import_privkey_base64(text.c_str(), nullptr, asked, &encrypted, &raw);
  key.key_.reset(raw);
  if (encrypted) fail(name, "it is encrypted, and there is nobody to ask for a passphrase");
  if (result != SSH_OK || !key.key_) fail(name, "not a private key");
  if (!has_public_half(key.get())) fail(name, kUseless);
  key.name_ = name;
  return key;
}

}  // namespace upstream
