#include "ssh/upstream_host_key.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <vector>

#include <fmt/core.h>
#include <libssh/libssh.h>

#include "base/failure.h"
#include "ssh/known_hosts.h"

namespace upstream {
namespace {

struct KeyDeleter {
  void operator()(ssh_key key) const { ::ssh_key_free(key); }
};
struct HashDeleter {
  void operator()(unsigned char* hash) const { ::ssh_clean_pubkey_hash(&hash); }
};
struct TextDeleter {
  void operator()(char* text) const { ::ssh_string_free_char(text); }
};

// The best first, as in OpenSSH.
constexpr const char* kAlgorithms[] = {"ssh-ed25519",         "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384",
                                       "ecdsa-sha2-nistp521", "rsa-sha2-512",        "rsa-sha2-256"};

// RFC 8332: both RSA algorithms sign with the key type ssh-rsa.
std::string_view key_type(std::string_view algorithm) {
  return algorithm.starts_with("rsa-sha2-") ? "ssh-rsa" : algorithm;
}

struct Offered {
  HostKey name;
  known_hosts::Key key;
};

Offered offered_key(ssh_session session) {
  ssh_key raw_key = nullptr;
  if (::ssh_get_server_publickey(session, &raw_key) != SSH_OK) {
    throw tool::Failure(tool::untrusted, "verify host key: the server has none");
  }
  const std::unique_ptr<ssh_key_struct, KeyDeleter> key(raw_key);
  unsigned char* raw_hash = nullptr;
  std::size_t length = 0;
  if (::ssh_get_publickey_hash(key.get(), SSH_PUBLICKEY_HASH_SHA256, &raw_hash, &length) != SSH_OK) {
    throw tool::Failure(tool::untrusted, "verify host key: no fingerprint");
  }
  const std::unique_ptr<unsigned char, HashDeleter> hash(raw_hash);
  const std::unique_ptr<char, TextDeleter> text(
      ::ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash.get(), length));
  char* raw_blob = nullptr;
  if (::ssh_pki_export_pubkey_base64(key.get(), &raw_blob) != SSH_OK) raw_blob = nullptr;
  const std::unique_ptr<char, TextDeleter> blob(raw_blob);
  if (!text || !blob) throw std::bad_alloc();
  const std::string type = ::ssh_key_type_to_char(::ssh_key_type(key.get()));
  return {{type, text.get()}, {type, blob.get()}};
}

// Empty when the key is the enrolled one; otherwise the reason why it is refused.
std::string objection(const known_hosts::Entries& entries, const known_hosts::Key& shown, const std::string& path) {
  using known_hosts::Verdict;
  const std::string unparsed = entries.unparsed_text();
  switch (known_hosts::judge(entries.of_host, shown)) {
    case Verdict::enrolled: return "";
    case Verdict::revoked: return "the key is revoked in " + path;
    case Verdict::changed: return "the key has changed: " + path + " has another one" + unparsed;
    case Verdict::other_type: return "only keys of other types are in " + path + unparsed;
    case Verdict::only_authority:
      return path +
             " has only a @cert-authority for it, and host certificates are not supported; enrol the key itself" +
             unparsed;
    case Verdict::unknown: break;
  }
  return "not in " + path + unparsed;
}

}  // namespace

std::string known_hosts_name(const HostPort& server) { return server.known_hosts_text(); }

void prefer_enrolled(ssh_session session, const HostPort& server, const std::string& path, bool old_algorithms) {
  std::vector<std::string> enrolled;
  try {
    enrolled = known_hosts::types(known_hosts::find(known_hosts::load(path), known_hosts_name(server)).of_host);
  } catch (const tool::Failure&) {  // verify_host_key reports it, once the server's key can be named
  }
  std::string first, rest;
  for (const char* const algorithm : kAlgorithms) {
    const bool known = std::find(enrolled.begin(), enrolled.end(), key_type(algorithm)) != enrolled.end();
    (known ? first : rest) += std::string(",") + algorithm;
  }
  const std::string order = (first + rest + (old_algorithms ? ",ssh-rsa" : "")).substr(1);
  if (::ssh_options_set(session, SSH_OPTIONS_KNOWNHOSTS, "/dev/null") != SSH_OK ||
      ::ssh_options_set(session, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null") != SSH_OK ||
      ::ssh_options_set(session, SSH_OPTIONS_HOSTKEYS, order.c_str()) != SSH_OK) {
    throw tool::Failure(tool::internal, fmt::format("set host key algorithms: {}", ::ssh_get_error(session)));
  }
}

HostKey verify_host_key(ssh_session session, const HostPort& server, const std::string& path) {
  const Offered offered = offered_key(session);
  std::string why;
  try {
    why = objection(known_hosts::find(known_hosts::load(path), known_hosts_name(server)), offered.key, path);
  } catch (const tool::Failure& failure) {
    why = failure.what();
  }
  if (why.empty()) return offered.name;
  throw tool::Failure(tool::untrusted, fmt::format("verify host key of {}: {} (the server has {})",
                                                   known_hosts_name(server), why, offered.name.text()));
}

}  // namespace upstream
