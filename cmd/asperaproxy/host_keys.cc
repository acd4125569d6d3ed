#include "host_keys.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include <fmt/core.h>

#include "base/accounts.h"
#include "base/child.h"
#include "base/cut.h"
#include "base/env.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"

namespace host_keys {
namespace {

constexpr char kKeyscan[] = "/usr/bin/ssh-keyscan";
constexpr char kSsh[] = "/usr/bin/ssh";
constexpr char kKeygen[] = "/usr/bin/ssh-keygen";
constexpr int kScanSeconds = 15;
constexpr int kKeygenSeconds = 10;
constexpr std::size_t kMaxOutput = 4 * 1024 * 1024;
constexpr std::size_t kMaxBlob = 16 * 1024;

bool is_type(std::string_view type) {
  return type == "ssh-ed25519" || type == "ssh-rsa" || type == "ecdsa-sha2-nistp256" || type == "ecdsa-sha2-nistp384" ||
         type == "ecdsa-sha2-nistp521";
}

bool is_base64(std::string_view text) {
  return !text.empty() && text.size() <= kMaxBlob && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/' ||
           c == '=';
  });
}

child::Output run(std::vector<std::string> argv, const std::string& input, int seconds) {
  return child::run({std::move(argv), env::allow({}), {}}, input, kMaxOutput, seconds);
}

}  // namespace

std::vector<Key> parse_scan(std::string_view text) {
  std::vector<Key> keys;
  for (const auto line : cut::lines(text)) {
    const auto words = cut::words(line);
    if (words.size() < 3 || words[0][0] == '#' || !is_type(words[1]) || !is_base64(words[2])) continue;
    const Key key{std::string(words[1]), std::string(words[2])};
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
  }
  return keys;
}

namespace {

// A file without a name, which any account may open by its descriptor.
Fd nameless_file() {
  Fd file(::memfd_create("host_keys", MFD_CLOEXEC));
  if (!file) tool::fail_errno(tool::os, "memfd_create");
  return file;
}

// ssh-keyscan cannot be told to use old algorithms. ssh can, and notes the host key before it tries to log in, which
// it does without a key or a password.
std::vector<Key> scan_old(const HostPort& server) {
  const Fd noted = nameless_file();
  const Fd said = nameless_file();
  child::Program ssh{{kSsh, "-F", "none", "-T", "-p", std::to_string(server.port), "-l", "nobody"},
                     env::allow({}),
                     {{noted.get(), 0}, {said.get(), 1}, {said.get(), 2}},
                     accounts::without_rights()};
  for (const char* option :
       {"KexAlgorithms=+diffie-hellman-group14-sha1", "HostKeyAlgorithms=+ssh-rsa",
        "Ciphers=+aes256-cbc,aes192-cbc,aes128-cbc", "MACs=+hmac-sha1", "UserKnownHostsFile=/proc/self/fd/0",
        "GlobalKnownHostsFile=/dev/null", "StrictHostKeyChecking=accept-new", "PreferredAuthentications=none",
        "BatchMode=yes", "ConnectTimeout=5"})
    ssh.argv.insert(ssh.argv.end(), {"-o", option});
  ssh.argv.insert(ssh.argv.end(), {"--", server.host, "true"});
  child::spawn(ssh).wait_for(std::chrono::seconds(kScanSeconds));
  ::lseek(noted.get(), 0, SEEK_SET);
  return parse_scan(io::read_all(noted.get(), kMaxOutput, "host keys"));
}

}  // namespace

std::vector<Key> scan(const HostPort& server, bool old_algorithms) {
  const child::Program scanner{
      {kKeyscan, "-T", "5", "-t", "ed25519,ecdsa,rsa", "-p", std::to_string(server.port), server.host},
      env::allow({}),
      {},
      accounts::without_rights()};
  const auto answer = child::run(scanner, "", kMaxOutput, kScanSeconds);
  auto keys = parse_scan(answer.out);
  if (keys.empty() && old_algorithms) keys = scan_old(server);
  if (!keys.empty()) return keys;
  std::string_view why = "no SSH server answers there";
  for (const auto line : cut::lines(answer.err)) {
    if (!line.starts_with('#') && !line.empty()) why = line;
  }
  throw tool::Failure(tool::unavailable, fmt::format("ask {} for its host keys: {}", server.text(), why));
}

std::string load(const std::string& path) { return ::access(path.c_str(), F_OK) == 0 ? known_hosts::load(path) : ""; }

std::string fingerprint(const Key& key) {
  const auto answer =
      run({kKeygen, "-lf", "-", "-E", "sha256"}, fmt::format("{} {}\n", key.type, key.blob), kKeygenSeconds);
  const auto words = cut::words(answer.out);
  if (answer.status != 0 || words.size() < 2 || !is_fingerprint(words[1])) {
    throw tool::Failure(tool::untrusted,
                        fmt::format("read a host key: {} {}...: not a key", key.type, key.blob.substr(0, 20)));
  }
  return std::string(words[1]);
}

bool is_fingerprint(std::string_view text) {
  constexpr std::string_view kFingerprintPrefix = "SHA256:";
  constexpr std::size_t kDigestCharacters = 43;  // 32 bytes in base64, without its "="
  return text.starts_with(kFingerprintPrefix) && text.size() == kFingerprintPrefix.size() + kDigestCharacters &&
         is_base64(text.substr(kFingerprintPrefix.size())) && text.find('=') == text.npos;
}

std::optional<std::string> without(const std::string& text, const Entry& entry, const std::string& name) {
  std::string left;
  std::size_t number = 0;
  bool done = false;
  for (const auto each : cut::lines(text)) {
    const std::string line(each);
    if (++number != entry.line) {
      left += line + "\n";
      continue;
    }
    std::string others;
    for (const auto one : cut::fields(entry.names, ',')) {
      std::string lower(one);
      std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
      if (lower == name) done = true;
      else others += fmt::format("{}{}", others.empty() ? "" : ",", one);
    }
    if (entry.names.starts_with("|1|")) {  // hashed: one name a line
      done = true;
      others.clear();
    }
    // inside1,inside*: the key would go on being the host's.
    if (known_hosts::names_match(others, name)) return std::nullopt;
    if (const auto at = line.find(entry.names); !others.empty() && at != line.npos) {
      left += line.substr(0, at) + others + line.substr(at + entry.names.size()) + "\n";
    }
  }
  if (!done) return std::nullopt;
  return left;
}

std::string with(std::string text, const std::string& name, const Key& key) {
  if (!text.empty() && text.back() != '\n') text += '\n';
  return text + fmt::format("{} {} {}\n", name, key.type, key.blob);
}

}  // namespace host_keys
