#include "public_key.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <optional>
#include <span>

#include <fmt/core.h>

#include "base/base64.h"
#include "base/cut.h"
#include "base/failure.h"

namespace public_key {
namespace {

// The SSH strings after the type in the blob; RFC 4253, RFC 5656, RFC 8709, PROTOCOL.u2f of OpenSSH.
struct Type {
  const char* name;
  int strings;
  const char* curve;  // the first string, where it names a curve
};
constexpr Type kTypes[] = {
    {"ssh-ed25519", 1, nullptr},
    {"ecdsa-sha2-nistp256", 2, "nistp256"},
    {"ecdsa-sha2-nistp384", 2, "nistp384"},
    {"ecdsa-sha2-nistp521", 2, "nistp521"},
    {"ssh-rsa", 2, nullptr},
    {"sk-ssh-ed25519@openssh.com", 2, nullptr},
    {"sk-ecdsa-sha2-nistp256@openssh.com", 3, "nistp256"},
};

const Type* type_of(std::string_view name) {
  const auto* const found =
      std::find_if(std::begin(kTypes), std::end(kTypes), [&](const Type& type) { return name == type.name; });
  return found == std::end(kTypes) ? nullptr : found;
}

std::optional<std::string_view> take_string(std::string_view& blob) {
  if (blob.size() < 4) return std::nullopt;
  std::size_t length = 0;
  for (int i = 0; i < 4; ++i) length = length << 8 | static_cast<unsigned char>(blob[static_cast<std::size_t>(i)]);
  blob.remove_prefix(4);
  if (blob.size() < length) return std::nullopt;
  const auto string = blob.substr(0, length);
  blob.remove_prefix(length);
  return string;
}

// The size of an mpint, which may begin with a zero byte.
std::size_t bits_of(std::string_view number) {
  while (!number.empty() && number[0] == 0) number.remove_prefix(1);
  if (number.empty()) return 0;
  std::size_t bits = number.size() * 8;
  for (int mask = 0x80; (number[0] & mask) == 0; mask >>= 1) --bits;
  return bits;
}

// The reason why `blob` is not a key of `type`; empty when it is.
std::string fault_of(const Type& type, std::string_view blob) {
  constexpr std::size_t kMinRsaBits = 2048;
  const auto inner = take_string(blob);
  if (!inner || *inner != type.name) return fmt::format("the content of the key is not {}", type.name);
  std::vector<std::string_view> strings;
  for (int i = 0; i < type.strings; ++i) {
    const auto string = take_string(blob);
    if (!string || string->empty()) return "the key is damaged";
    strings.push_back(*string);
  }
  if (!blob.empty()) return "the key is damaged";
  if (type.curve && strings[0] != type.curve) return "the key is damaged";
  const std::string_view name = type.name;
  if (name.find("ed25519") != name.npos && strings[0].size() != 32) return "the key is damaged";
  if (name == "ssh-rsa" && bits_of(strings[1]) < kMinRsaBits)
    return fmt::format("RSA key of less than {} bits", kMinRsaBits);
  return {};
}

std::string clean(std::string_view comment) {
  constexpr std::size_t kMaxComment = 100;
  constexpr std::string_view kCommentCharacters = "@._+:/ -";
  std::string out(comment.substr(0, kMaxComment));
  for (char& c : out) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       kCommentCharacters.find(c) != kCommentCharacters.npos;
    if (!plain) c = '_';
  }
  out.erase(out.find_last_not_of(' ') + 1);
  return out;
}

constexpr std::string_view kSpace = " \t\r";

// Cuts the first word, and the space after it, off `text`.
std::string_view take_word(std::string_view& text) {
  const auto word = text.substr(0, text.find_first_of(" \t"));
  text = cut::trimmed(text.substr(word.size()), kSpace);
  return word;
}

// Splits what may be an option list of authorized_keys at blanks outside quotes.
std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  std::size_t start = 0;
  bool quoted = false;
  for (std::size_t i = 0; i <= line.size(); ++i) {
    if (i < line.size() && line[i] == '\\') ++i;
    else if (i < line.size() && line[i] == '"') quoted = !quoted;
    else if (i >= line.size() || (!quoted && (line[i] == ' ' || line[i] == '\t'))) {
      if (i > start) words.push_back(line.substr(start, std::min(i, line.size()) - start));
      start = i + 1;
    }
  }
  return words;
}

Key parse_line(std::string_view line, const std::string& where) {
  const auto refuse = [&](const std::string& why) {
    throw tool::Failure(tool::bad_input, fmt::format("{}: {}", where, why));
  };
  if (line.find("PRIVATE KEY") != line.npos)
    refuse("this is a private key, which nobody else should have: take the .pub file");
  const auto words = words_of(line);
  if (!words.empty() && !type_of(words[0]) && std::any_of(words.begin(), words.end(), type_of)) {
    refuse("options in front of a key are not accepted: write them to authorized_keys by hand");
  }
  std::string_view rest = line;
  const auto* const type = type_of(take_word(rest));
  if (!type) refuse("not a public key of a type that is known (ssh-ed25519, ecdsa-sha2-*, ssh-rsa, sk-*)");
  const auto base64 = take_word(rest);
  const auto blob = base64::decode(base64);
  if (!blob) refuse("the key is not base64");
  if (const auto fault = fault_of(*type, *blob); !fault.empty()) refuse(fault);
  return {type->name, std::string(base64), clean(rest)};
}

constexpr std::string_view kBegin = "---- BEGIN SSH2 PUBLIC KEY ----";
constexpr std::string_view kEnd = "---- END SSH2 PUBLIC KEY ----";

// The key behind kBegin, RFC 4716 section 3, as a line of authorized_keys; `lines` then begins with kEnd, or is
// empty. Of the headers only the comment is taken.
std::string line_of_rfc4716(std::span<const std::string_view>& lines) {
  constexpr std::string_view kComment = "Comment:";
  std::string base64;
  std::string comment;
  bool continued = false;
  for (; !lines.empty() && cut::trimmed(lines.front(), kSpace) != kEnd; lines = lines.subspan(1)) {
    auto line = cut::trimmed(lines.front(), kSpace);
    const bool header = continued || line.find(':') != line.npos;
    continued = header && line.ends_with('\\');
    if (!header) base64 += line;
    else if (line.starts_with(kComment)) comment = cut::trimmed(line.substr(kComment.size()), " \t\"\\");
  }
  const auto blob = base64::decode(base64);
  std::string_view rest = blob ? std::string_view(*blob) : std::string_view();
  const auto type = take_string(rest);
  return fmt::format("{} {} {}", type ? *type : "-", base64, comment);
}

}  // namespace

std::string Key::line() const { return fmt::format("{} {}{}{}", type, base64, comment.empty() ? "" : " ", comment); }

std::vector<Key> parse(std::string_view text, const std::string& name) {
  const auto refuse = [&](const std::string& why) {
    throw tool::Failure(tool::bad_input, fmt::format("{}: {}", name, why));
  };
  if (text.size() > kMaxText) refuse(fmt::format("more than {} bytes", kMaxText));
  if (text.find('\0') != text.npos) refuse("NUL byte");
  std::vector<Key> keys;
  const auto all = cut::lines(text);
  for (std::span<const std::string_view> rest(all); !rest.empty(); rest = rest.subspan(1)) {
    const auto number = all.size() - rest.size() + 1;
    std::string_view line = cut::trimmed(rest.front(), kSpace);
    if (line.empty() || line[0] == '#') continue;
    std::string translated;
    if (line == kBegin) {
      rest = rest.subspan(1);
      line = translated = line_of_rfc4716(rest);
      if (rest.empty()) refuse(fmt::format("{}: {} without an end", number, kBegin));
    }
    const Key key = parse_line(line, fmt::format("{}:{}", name, number));
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
    if (keys.size() > kMaxKeys) refuse(fmt::format("more than {} keys", kMaxKeys));
  }
  if (keys.empty()) refuse("no public key in it");
  return keys;
}

bool Line::is_authority() const {
  constexpr std::string_view kAuthority = "cert-authority";
  std::string small = options;
  std::transform(small.begin(), small.end(), small.begin(), [](unsigned char c) { return std::tolower(c); });
  return small.find(kAuthority) != small.npos;
}

std::vector<Line> lines_of(std::string_view text) {
  const auto is_control = [](unsigned char c) { return (c < ' ' && c != '\t') || c == 0x7f; };
  // The key is the first word, or the second behind options, as sshd has it.
  const auto parsed = [](const std::string& line) -> std::optional<Line> {
    const auto words = words_of(line);
    const std::size_t at = !words.empty() && type_of(words[0]) ? 0 : 1;
    if (words.size() < at + 2 || !type_of(words[at])) return std::nullopt;
    const auto blob = base64::decode(words[at + 1]);
    if (!blob || !fault_of(*type_of(words[at]), *blob).empty()) return std::nullopt;
    return Line{line, std::string(at == 0 ? "" : words[0]), {std::string(words[at]), std::string(words[at + 1]), ""}};
  };
  std::vector<Line> lines;
  for (const auto each : cut::lines(text)) {
    const std::string line(cut::trimmed(each, kSpace));
    if (line.starts_with('#') || std::any_of(line.begin(), line.end(), is_control)) continue;
    const auto found = parsed(line);
    if (!found) continue;
    if (std::find(lines.begin(), lines.end(), *found) == lines.end()) lines.push_back(*found);
    if (lines.size() > kMaxKeys) throw tool::Failure(tool::bad_input, fmt::format("more than {} keys", kMaxKeys));
  }
  return lines;
}

bool holds(std::string_view line, const Key& key) {
  const auto text = cut::trimmed(line, kSpace);
  if (text.empty() || text[0] == '#') return false;
  const auto words = words_of(text);
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i] == key.type) return words[i + 1] == key.base64;
  }
  return false;
}

}  // namespace public_key
