// ssh/upstream_host_key: is the server the one whose key an administrator enrolled?
//
// Strict, and before any authentication: only a key that stands in known_hosts
// for exactly this host and port will do. The file is never written. libssh is
// not asked for its opinion: 0.10.6 passes over @revoked lines. Nor can it be shown
// a host certificate, so that @cert-authority lines vouch for no server.
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

// The host as known_hosts has it: "10.0.0.10", or "[10.0.0.10]:2222" when the
// port is not 22.
std::string known_hosts_name(const HostPort& server);

// Tells `session`, before it connects, to prefer key types that are enrolled for
// `server` over others that it has too, and to look into no file of its own. A
// file that cannot be read prefers nothing.
void prefer_enrolled(ssh_session_struct* session, const HostPort& server, const std::string& known_hosts);

// The key by which the connected server proved itself. Failure{76}, naming the
// host, the type and the fingerprint, when it is unknown, changed, revoked, of a
// type that is not enrolled, or `known_hosts` cannot be read.
HostKey verify_host_key(ssh_session_struct* session, const HostPort& server, const std::string& known_hosts);

}  // namespace upstream
