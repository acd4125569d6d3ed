#include "ssh/known_hosts.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <optional>

#include <fmt/core.h>

#include "base/base64.h"
#include "base/cut.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"

namespace known_hosts {
namespace {

constexpr std::string_view kBlanks = " \t";
constexpr std::string_view kHashedMark = "|1|";
constexpr std::size_t kSha1Bytes = 20;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Cuts the first word, and the blanks after it, off `rest`.
std::string_view take_word(std::string_view& rest) {
  const auto end = std::min(rest.find_first_of(kBlanks), rest.size());
  const auto word = rest.substr(0, end);
  rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks, end), rest.size()));
  return word;
}

// The string at the beginning of a key's blob (RFC 4253 section 6.6).
std::optional<std::string> type_of(std::string_view blob) {
  const auto bytes = base64::decode(blob);
  if (!bytes || bytes->size() < 4) return std::nullopt;
  std::size_t length = 0;
  for (int i = 0; i < 4; ++i) length = length << 8 | static_cast<unsigned char>((*bytes)[static_cast<std::size_t>(i)]);
  if (length > 64 || bytes->size() <= 4 + length) return std::nullopt;
  return bytes->substr(4, length);
}

// Pattern `*` matches any number of characters, `?` one. `text` is in lower case.
bool pattern_matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = pattern.npos, from = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      from = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || lower(pattern[p]) == text[t])) {
      ++p;
      ++t;
    } else if (star != pattern.npos) {
      p = star + 1;
      t = ++from;
    } else {
      return false;
    }
  }
  return std::all_of(pattern.begin() + static_cast<std::ptrdiff_t>(p), pattern.end(), [](char c) { return c == '*'; });
}

// `names` is |1|salt|HMAC-SHA1(salt, name).
bool hash_matches(std::string_view names, std::string_view name) {
  const auto parted = names.find('|', kHashedMark.size());
  if (!names.starts_with(kHashedMark) || parted == names.npos) return false;
  const auto salt = base64::decode(names.substr(kHashedMark.size(), parted - kHashedMark.size()));
  const auto hash = base64::decode(names.substr(parted + 1));
  if (!salt || !hash || salt->size() != kSha1Bytes || hash->size() != kSha1Bytes) return false;
  unsigned char own[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  if (!::HMAC(::EVP_sha1(), salt->data(), static_cast<int>(salt->size()),
              reinterpret_cast<const unsigned char*>(name.data()), name.size(), own, &length)) {
    throw tool::Failure(tool::untrusted, "read known_hosts: HMAC-SHA1 is not available here, and hashed names need it");
  }
  return std::string_view(reinterpret_cast<char*>(own), length) == *hash;
}

std::optional<Marker> marker_of(std::string_view word) {
  if (word == "@revoked") return Marker::revoked;
  if (word == "@cert-authority") return Marker::authority;
  return std::nullopt;
}

// Absent when the line is not valid. `text` is neither empty nor a comment.
std::optional<Entry> parse_line(std::string_view text) {
  Entry entry;
  if (text.starts_with('@')) {
    const auto marker = marker_of(take_word(text));
    if (!marker || text.starts_with('@')) return std::nullopt;
    entry.marker = *marker;
  }
  entry.names = take_word(text);
  entry.key.type = take_word(text);
  entry.key.blob = take_word(text);
  const auto type = type_of(entry.key.blob);
  if (!type || (*type != entry.key.type && entry.marker != Marker::revoked)) return std::nullopt;
  entry.key.type = *type;
  return entry;
}

template <typename Test>
bool has_one(const std::vector<Entry>& entries, Marker marker, Test test) {
  return std::any_of(entries.begin(), entries.end(),
                     [&](const Entry& entry) { return entry.marker == marker && test(entry.key); });
}

bool has(const std::vector<Entry>& entries, Marker marker, const Key& key) {
  return has_one(entries, marker, [&](const Key& one) { return one == key; });
}

}  // namespace

bool names_match(std::string_view names, std::string_view name) {
  if (names.starts_with('|')) return hash_matches(names, name);
  bool found = false;
  for (auto pattern : cut::fields(names, ',')) {
    const bool negated = pattern.starts_with('!');
    if (negated) pattern.remove_prefix(1);
    if (!pattern_matches(pattern, name)) continue;
    if (negated) return false;
    found = true;
  }
  return found;
}

std::string Entries::unparsed_text() const {
  if (unparsed.empty()) return "";
  return fmt::format("; {} of its lines cannot be read, the first is {}", unparsed.size(), unparsed.front());
}

Entries find(std::string_view text, std::string_view name) {
  Entries entries;
  std::size_t number = 0;
  for (auto one : cut::lines(text)) {
    ++number;
    if (one.ends_with('\r')) one.remove_suffix(1);
    one.remove_prefix(std::min(one.find_first_not_of(kBlanks), one.size()));
    if (one.empty() || one.starts_with('#')) continue;
    auto entry = parse_line(one);
    if (!entry) {
      entries.unparsed.push_back(number);
    } else if (names_match(entry->names, name)) {
      entry->line = number;
      entries.of_host.push_back(std::move(*entry));
    }
  }
  return entries;
}

Verdict judge(const std::vector<Entry>& entries, const Key& shown) {
  const auto any = [](const Key&) { return true; };
  if (has(entries, Marker::revoked, shown)) return Verdict::revoked;
  if (has(entries, Marker::none, shown)) return Verdict::enrolled;
  if (has_one(entries, Marker::none, [&](const Key& key) { return key.type == shown.type; })) return Verdict::changed;
  if (has_one(entries, Marker::none, any)) return Verdict::other_type;
  return has_one(entries, Marker::authority, any) ? Verdict::only_authority : Verdict::unknown;
}

std::vector<std::string> types(const std::vector<Entry>& entries) {
  std::vector<std::string> found;
  for (const auto& entry : entries) {
    if (entry.marker != Marker::none || has(entries, Marker::revoked, entry.key)) continue;
    if (std::find(found.begin(), found.end(), entry.key.type) == found.end()) found.push_back(entry.key.type);
  }
  return found;
}

std::string load(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) tool::fail_errno(tool::untrusted, "open " + path);
  try {
    return io::read_all(file.get(), kMaxBytes, path);
  } catch (const tool::Failure& failure) {
    throw tool::Failure(tool::untrusted, failure.what());
  }
}

}  // namespace known_hosts
