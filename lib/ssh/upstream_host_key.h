// ssh/upstream_host_key: is the server the one whose key an administrator enrolled?
//
// The check is strict, and comes before any authentication: only a key that stands in
// known_hosts for exactly this host and port is accepted. The file is never written. libssh
// does not judge: 0.10.6 ignores @revoked lines. It cannot be shown a host certificate
// either, so @cert-authority lines vouch for no server.
#pragma once

#include <string>

#include "base/address.h"

struct ssh_session_struct;

namespace upstream {

struct HostKey {
  std::string type;         // "ssh-ed25519"
  std::string fingerprint;  // "SHA256:…", as OpenSSH prints it

  std::string text() const { return type + " " + fingerprint; }
};

// The host as known_hosts names it: "10.0.0.10", or "[10.0.0.10]:2222" when the port is not 22.
std::string known_hosts_name(const HostPort& server);

// Before `session` connects, makes it prefer key types that are enrolled for `server` over other types
// that the server has, and read no known_hosts file of its own. A file that cannot be read leads to no
// preference. With `old_algorithms`, RSA keys may sign with SHA-1, if the server cannot do better.
void prefer_enrolled(ssh_session_struct* session, const HostPort& server, const std::string& known_hosts,
                     bool old_algorithms);

// The key by which the connected server proved its identity. Failure{76}, naming the host, the type
// and the fingerprint, when it is unknown, changed, revoked, of a type that is not enrolled, or
// `known_hosts` cannot be read.
HostKey verify_host_key(ssh_session_struct* session, const HostPort& server, const std::string& known_hosts);

}  // namespace upstream
