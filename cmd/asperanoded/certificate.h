// certificate: the certificate of the node service: the administrator's own, or
// one that the service makes at its first start.
//
//   PREFIX/etc/aspera_server_cert.pem   0644
//   PREFIX/etc/aspera_server_key.pem    0600
#pragma once

#include <string>

#include "config/config.h"
#include "http/node_api.h"

namespace asperanoded {
namespace certificate {

// Must be read as root. Failure{78} says which file is wrong, and what to do.
node_api::Tls load(const config::Node& node);

// SHA-256 of the first certificate: AB:CD:…, as openssl x509 -fingerprint prints it.
std::string fingerprint(const std::string& pem);

}  // namespace certificate
}  // namespace asperanoded
