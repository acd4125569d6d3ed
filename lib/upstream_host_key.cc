#include "upstream_host_key.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include <fmt/core.h>
#include <libssh/libssh.h>

#include "fd.h"
#include "tool.h"

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

// libssh expands "~" and "%" in paths; here a path is only a path.
std::string literal(const std::string& path) {
  std::string out = path.starts_with('~') ? "./" : "";
  for (const char c : path) out += c == '%' ? "%%" : std::string(1, c);
  return out;
}

HostKey offered_key(ssh_session session) {
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
  if (!text) throw std::bad_alloc();
  return {::ssh_key_type_to_char(::ssh_key_type(key.get())), text.get()};
}

// Empty when the key is the enrolled one; else why it is refused.
std::string objection(ssh_session session, const std::string& known_hosts) {
  if (Fd file(::open(known_hosts.c_str(), O_RDONLY | O_CLOEXEC)); !file) {
    return fmt::format("open {}: {}", known_hosts, std::strerror(errno));
  }
  switch (::ssh_session_is_known_server(session)) {
    case SSH_KNOWN_HOSTS_OK: return "";
    case SSH_KNOWN_HOSTS_CHANGED: return "the key has changed: " + known_hosts + " has another one";
    case SSH_KNOWN_HOSTS_OTHER: return "only keys of other types are in " + known_hosts;
    case SSH_KNOWN_HOSTS_UNKNOWN:
    case SSH_KNOWN_HOSTS_NOT_FOUND: return "not in " + known_hosts;
    default: return fmt::format("read {}: {}", known_hosts, ::ssh_get_error(session));
  }
}

}  // namespace

std::string known_hosts_name(const HostPort& server) {
  return server.port == 22 || server.port == 0 ? server.host : fmt::format("[{}]:{}", server.host, server.port);
}

void prefer_enrolled(ssh_session session, const std::string& known_hosts) {
  if (::ssh_options_set(session, SSH_OPTIONS_KNOWNHOSTS, literal(known_hosts).c_str()) != SSH_OK ||
      ::ssh_options_set(session, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null") != SSH_OK) {
    throw tool::Failure(tool::internal, fmt::format("set known_hosts: {}", ::ssh_get_error(session)));
  }
}

HostKey verify_host_key(ssh_session session, const HostPort& server, const std::string& known_hosts) {
  const HostKey key = offered_key(session);
  const std::string why = objection(session, known_hosts);
  if (why.empty()) return key;
  throw tool::Failure(tool::untrusted, fmt::format("verify host key of {}: {} (the server has {})",
                                                   known_hosts_name(server), why, key.text()));
}

}  // namespace upstream
