#include "certificate.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>
#include <memory>

#include <fmt/core.h>

#include "base/address.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/logging.h"
#include "base/paths.h"
#include "base/whole_file.h"

namespace asperanoded {
namespace certificate {
namespace {

constexpr std::size_t kMaxFile = 256 * 1024;
constexpr std::time_t kDay = 24 * 3600;
const std::string kOwnCertificate = std::string(paths::kPrefix) + "/etc/aspera_server_cert.pem";
const std::string kOwnKey = std::string(paths::kPrefix) + "/etc/aspera_server_key.pem";

struct FreeKey {
  void operator()(gnutls_x509_privkey_t key) const { gnutls_x509_privkey_deinit(key); }
};
struct FreeCertificate {
  void operator()(gnutls_x509_crt_t certificate) const { gnutls_x509_crt_deinit(certificate); }
};
using Key = std::unique_ptr<std::remove_pointer_t<gnutls_x509_privkey_t>, FreeKey>;
using Certificate = std::unique_ptr<std::remove_pointer_t<gnutls_x509_crt_t>, FreeCertificate>;

[[noreturn]] void fail(const std::string& why) { throw tool::Failure(tool::config, why); }

void check(int result, const char* what) {
  if (result < 0)
    throw tool::Failure(tool::os, fmt::format("make a certificate: {}: {}", what, gnutls_strerror(result)));
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

std::string read_file(const std::string& path, const char* element) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file) tool::fail_errno(tool::config, fmt::format("<{}>: open {}", element, path));
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) tool::fail_errno(tool::os, "fstat " + path);
  if (!S_ISREG(status.st_mode)) fail(fmt::format("<{}>: {}: not a regular file", element, path));
  return io::read_all(file.get(), kMaxFile, path);
}

void check_private(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) tool::fail_errno(tool::config, "stat " + path);
  if ((status.st_mode & S_IRWXO) != 0) fail(fmt::format("<key_file>: {}: others may use it: chmod 600 {}", path, path));
}

// Checks the pair as GnuTLS itself does.
void check_pair(const node_api::Tls& tls, const std::string& certificate, const std::string& key) {
  gnutls_certificate_credentials_t both = nullptr;
  check(gnutls_certificate_allocate_credentials(&both), "allocate");
  const auto datum = [](const std::string& text) {
    return gnutls_datum_t{reinterpret_cast<unsigned char*>(const_cast<char*>(text.data())),
                          static_cast<unsigned>(text.size())};
  };
  const gnutls_datum_t pem = datum(tls.certificate);
  const gnutls_datum_t secret = datum(tls.key);
  const int result = gnutls_certificate_set_x509_key_mem(both, &pem, &secret, GNUTLS_X509_FMT_PEM);
  gnutls_certificate_free_credentials(both);
  if (result == GNUTLS_E_CERTIFICATE_KEY_MISMATCH) fail(fmt::format("{} is not the key of {}", key, certificate));
  if (result < 0)
    fail(fmt::format("{} and {}: {}; both must be PEM, the key without a passphrase", certificate, key,
                     gnutls_strerror(result)));
}

// --- making one ---------------------------------------------------------------------

std::string host_name() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return "localhost";
  return name;
}

void add_name(gnutls_x509_crt_t certificate, const std::string& name) {
  check(gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_DNSNAME, name.data(),
                                             static_cast<unsigned>(name.size()), GNUTLS_FSAN_APPEND),
        "add a name");
}

void add_addresses(gnutls_x509_crt_t certificate) {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return;
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> all(list, freeifaddrs);
  static const auto link_local = Network::parse("fe80::/10");
  for (const ifaddrs* one = list; one; one = one->ifa_next) {
    if (!one->ifa_addr || (one->ifa_addr->sa_family != AF_INET && one->ifa_addr->sa_family != AF_INET6)) continue;
    const auto ip = IpAddress::from_sockaddr(*one->ifa_addr);
    if (link_local->contains(ip)) continue;
    check(gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_IPADDRESS, ip.bytes(), ip.is_v4() ? 4 : 16,
                                               GNUTLS_FSAN_APPEND),
          "add an address");
  }
}

std::string exported(gnutls_datum_t out) {
  const std::string text(reinterpret_cast<char*>(out.data), out.size);
  gnutls_memset(out.data, 0, out.size);
  gnutls_free(out.data);
  return text;
}

Key new_key() {
  gnutls_x509_privkey_t key = nullptr;
  check(gnutls_x509_privkey_init(&key), "init");
  Key owned(key);
  check(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
        "generate a key");
  return owned;
}

Key read_key(const std::string& pem) {
  gnutls_x509_privkey_t key = nullptr;
  check(gnutls_x509_privkey_init(&key), "init");
  Key owned(key);
  const gnutls_datum_t datum{reinterpret_cast<unsigned char*>(const_cast<char*>(pem.data())),
                             static_cast<unsigned>(pem.size())};
  if (gnutls_x509_privkey_import(key, &datum, GNUTLS_X509_FMT_PEM) < 0)
    fail(kOwnKey + " is not a private key: remove it, and a new one is made");
  return owned;
}

void describe(gnutls_x509_crt_t certificate, gnutls_x509_privkey_t key) {
  unsigned char serial[16];
  check(gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof serial), "random bytes");
  serial[0] = static_cast<unsigned char>((serial[0] & 0x3f) | 0x40);  // positive, and no zero in front
  unsigned char id[32];
  std::size_t size = sizeof id;
  const std::string name = host_name();
  const std::string common = name.substr(0, 64);
  const std::time_t now = ::time(nullptr);
  check(gnutls_x509_crt_set_version(certificate, 3), "version");
  check(gnutls_x509_crt_set_serial(certificate, serial, sizeof serial), "serial");
  check(gnutls_x509_crt_set_activation_time(certificate, now - kDay), "time");  // clocks differ
  check(gnutls_x509_crt_set_expiration_time(certificate, now + 3652 * kDay), "time");
  check(gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, common.data(),
                                      static_cast<unsigned>(common.size())),
        "name");
  add_name(certificate, name);
  if (const auto dot = name.find('.'); dot != name.npos) add_name(certificate, name.substr(0, dot));
  if (name != "localhost") add_name(certificate, "localhost");
  add_addresses(certificate);
  check(gnutls_x509_crt_set_key(certificate, key), "key");
  check(gnutls_x509_crt_get_key_id(certificate, 0, id, &size), "key id");
  check(gnutls_x509_crt_set_subject_key_id(certificate, id, 20), "key id");
  check(gnutls_x509_crt_set_basic_constraints(certificate, 0, -1), "constraints");
  check(gnutls_x509_crt_set_key_usage(certificate, GNUTLS_KEY_DIGITAL_SIGNATURE), "usage");
  check(gnutls_x509_crt_set_key_purpose_oid(certificate, GNUTLS_KP_TLS_WWW_SERVER, 0), "purpose");
}

std::string self_signed(gnutls_x509_privkey_t key) {
  gnutls_x509_crt_t certificate = nullptr;
  check(gnutls_x509_crt_init(&certificate), "init");
  const Certificate owned(certificate);
  describe(certificate, key);
  check(gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0), "sign");
  gnutls_datum_t out{};
  check(gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &out), "export");
  return exported(out);
}

// The key is made first: if only the key exists, the next start makes a certificate for it.
void make_own() {
  if (exists(kOwnCertificate))
    fail(fmt::format("{} exists without {}: put the key there, or remove the certificate, and both are made anew",
                     kOwnCertificate, kOwnKey));
  const bool have_key = exists(kOwnKey);
  const Key key = have_key ? read_key(read_file(kOwnKey, "key_file")) : new_key();
  if (!have_key) {
    gnutls_datum_t out{};
    check(gnutls_x509_privkey_export2_pkcs8(key.get(), GNUTLS_X509_FMT_PEM, nullptr, GNUTLS_PKCS_PLAIN, &out),
          "export the key");
    whole_file::write(kOwnKey, exported(out), {.durable = true});
  }
  whole_file::write(kOwnCertificate, self_signed(key.get()), {.mode = 0644, .durable = true});
}

}  // namespace

node_api::Tls load(const config::Node& node) {
  std::string certificate = node.cert_file;
  std::string key = node.key_file;
  if (certificate.empty() != key.empty()) {
    fail(certificate.empty() ? "<key_file> without <cert_file>: set both, or none"
                             : "<cert_file> without <key_file>: set both, or none");
  }
  if (certificate.empty()) {
    if (!node.chain_file.empty()) fail("<chain_file> without <cert_file>: set <cert_file> and <key_file>, too");
    certificate = kOwnCertificate;
    key = kOwnKey;
    if (!exists(certificate) || !exists(key)) make_own();
  }
  node_api::Tls tls{read_file(certificate, "cert_file"), read_file(key, "key_file")};
  check_private(key);
  if (!node.chain_file.empty()) tls.certificate += "\n" + read_file(node.chain_file, "chain_file");
  check_pair(tls, certificate, key);
  return tls;
}

std::string fingerprint(const std::string& pem) {
  gnutls_x509_crt_t certificate = nullptr;
  check(gnutls_x509_crt_init(&certificate), "init");
  const Certificate owned(certificate);
  const gnutls_datum_t datum{reinterpret_cast<unsigned char*>(const_cast<char*>(pem.data())),
                             static_cast<unsigned>(pem.size())};
  check(gnutls_x509_crt_import(certificate, &datum, GNUTLS_X509_FMT_PEM), "read it");
  unsigned char digest[32];
  std::size_t size = sizeof digest;
  check(gnutls_x509_crt_get_fingerprint(certificate, GNUTLS_DIG_SHA256, digest, &size), "fingerprint");
  std::string out;
  for (std::size_t i = 0; i < size; ++i) out += fmt::format("{}{:02X}", i == 0 ? "" : ":", digest[i]);
  return out;
}

}  // namespace certificate
}  // namespace asperanoded
