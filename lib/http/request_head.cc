#include "http/request_head.h"

#include <strings.h>

#include <algorithm>

namespace request_head {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_one_of(char c, std::string_view set) { return set.find(c) != set.npos; }

bool same(std::string_view one, std::string_view other) {
  return one.size() == other.size() && ::strncasecmp(one.data(), other.data(), one.size()) == 0;
}

// RFC 9110 5.6.2
bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_digit(c) || is_letter(c) || is_one_of(c, "!#$%&'*+-.^_`|~");
  });
}

// RFC 3986 3.3: an absolute path.
bool is_path(std::string_view text) {
  if (!text.starts_with('/')) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '%' && (i + 2 >= text.size() || !is_hex(text[i + 1]) || !is_hex(text[i + 2]))) return false;
    if (!is_digit(c) && !is_letter(c) && !is_one_of(c, "/-._~!$&'()*+,;=:@%")) return false;
  }
  return true;
}

// host[:port] or [address][:port]
bool is_host(std::string_view text) {
  const bool bracketed = text.starts_with('[');
  const auto end = bracketed ? text.find(']') : std::min(text.find(':'), text.size());
  if (end == text.npos) return false;
  const auto host = text.substr(bracketed ? 1 : 0, end - (bracketed ? 1 : 0));
  auto port = text.substr(end + (bracketed ? 1 : 0));
  const bool valid = std::all_of(host.begin(), host.end(), [&](char c) {
    return bracketed ? is_hex(c) || is_one_of(c, ":.") : is_digit(c) || is_letter(c) || is_one_of(c, "-._");
  });
  if (host.empty() || !valid) return false;
  if (port.empty()) return true;
  port.remove_prefix(1);
  return text[text.size() - port.size() - 1] == ':' && std::all_of(port.begin(), port.end(), is_digit);
}

bool is_value(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; });
}

std::vector<std::string_view> all(const Head& head, std::string_view name) {
  std::vector<std::string_view> found;
  for (const auto& [key, value] : head.headers) {
    if (same(key, name)) found.push_back(value);
  }
  return found;
}

std::string fault_of_body(const Head& head) {
  const auto lengths = all(head, "Content-Length");
  const auto codings = all(head, "Transfer-Encoding");
  if (lengths.size() + codings.size() > 1) return "The length of the body is given more than once.";
  if (!lengths.empty() && (lengths[0].empty() || !std::all_of(lengths[0].begin(), lengths[0].end(), is_digit)))
    return "Content-Length is not a number.";
  if (!codings.empty() && !same(codings[0], "chunked")) return "Only the transfer encoding chunked is supported.";
  if (!codings.empty() && head.version == "HTTP/1.0") return "HTTP/1.0 does not allow chunks.";
  return "";
}

}  // namespace

std::string fault(const Head& head) {
  if (!is_token(head.method)) return "The method is not a word.";
  if (head.version != "HTTP/1.1" && head.version != "HTTP/1.0") return "Only HTTP/1.1 and HTTP/1.0 are supported.";
  if (!is_path(head.path)) return "The target of the request is not a path.";
  for (const auto& [name, value] : head.headers) {
    if (!is_token(name)) return "The name of a header is not a word.";
    if (!is_value(value)) return "A header has control characters.";
  }
  const auto hosts = all(head, "Host");
  if (hosts.size() > 1) return "Host is given more than once.";
  if (hosts.empty() && head.version == "HTTP/1.1") return "Host is missing.";
  if (!hosts.empty() && !is_host(hosts[0])) return "Host is not valid.";
  return fault_of_body(head);
}

bool is_plain(const Head& head, std::string_view raw) {
  std::size_t at = 0;
  const auto takes = [&](std::string_view part) {
    if (part.data() != raw.data() + at || part.size() > raw.size() - at) return false;
    at += part.size();
    return true;
  };
  const auto skip = [&](std::string_view set, std::size_t most) {
    for (std::size_t i = 0; i < most && at < raw.size() && is_one_of(raw[at], set); ++i) ++at;
  };
  const auto takes_end = [&] {
    constexpr std::string_view kEnd("\0\r\n", 3);
    const std::size_t before = at;
    skip(kEnd, 2);
    return at - before == 2;
  };
  constexpr std::string_view kSpace("\0 ", 2), kColon("\0:", 2);
  if (!takes(head.method)) return false;
  skip(kSpace, 1);
  if (!takes(head.path)) return false;
  skip(kSpace, 1);
  if (!takes(head.version) || !takes_end()) return false;
  for (const auto& [name, value] : head.headers) {
    if (!takes(name)) return false;
    skip(kColon, 1);
    skip(" \t", raw.size());
    if (!takes(value)) return false;
    skip(" \t", raw.size());
    if (!takes_end()) return false;
  }
  return takes_end() && at == raw.size();
}

}  // namespace request_head
