#include "ssh_story.h"

#include <algorithm>

#include "base/cut.h"

namespace asp_cp {
namespace {

constexpr std::size_t kMostKeys = 16;

bool has(std::string_view line, std::string_view words) { return line.find(words) != line.npos; }

// What follows `prefix`; empty when the line begins otherwise.
std::string_view after(std::string_view line, std::string_view prefix) {
  return line.starts_with(prefix) ? line.substr(prefix.size()) : std::string_view();
}

// "/home/bear/my key ED25519 SHA256:… explicit": the file may have blanks, the fingerprint none.
std::string key_in(std::string_view offer) {
  const auto at = offer.find(" SHA256:");
  if (at == offer.npos) return {};
  const auto type = offer.rfind(' ', at - 1);
  const auto end = std::min(offer.find(' ', at + 1), offer.size());
  const auto start = type == offer.npos || at == 0 ? 0 : type + 1;
  return std::string(offer.substr(start, end - start));
}

}  // namespace

bool SshStory::take(std::string_view line) {
  if (logged_in) {
    const bool ours =
        line.starts_with("debug1: ") || line.starts_with("Transferred: ") || line.starts_with("Bytes per second: ");
    if (!ours && !line.empty()) last = line;
    return !ours;
  }
  if (const auto shown = after(line, "debug1: Server host key: "); !shown.empty()) {
    shown_key = shown;
    host_key = HostKey::seen;
  } else if (has(line, "is known and matches the") || line.starts_with("Warning: Permanently added ")) {
    host_key = HostKey::accepted;
  } else if (has(line, "REMOTE HOST IDENTIFICATION HAS CHANGED")) {
    host_key = HostKey::changed;
  } else if (line.starts_with("Host key verification failed")) {
    if (host_key != HostKey::changed) host_key = HostKey::unknown;
  } else if (const auto key = key_in(after(line, "debug1: Offering public key: ")); !key.empty()) {
    if (offered.size() < kMostKeys) offered.push_back(key);
  } else if (line.starts_with("Authenticated to ")) {
    logged_in = true;
    host_key = HostKey::accepted;
    last.clear();
    const auto parts = cut::fields(line, '"');
    if (parts.size() > 2) method = parts[1];
    return false;
  }
  if (line.starts_with("debug1: ")) return false;
  if (!line.empty()) last = line;
  return true;
}

}  // namespace asp_cp
