#include "known_proxies.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include <fmt/core.h>

#include "base/cut.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/whole_file.h"
#include "http/node_client.h"
#include "own_file.h"

namespace forward::known_proxies {
namespace {

struct Line {
  HostPort proxy;
  std::string fingerprint;
};

// Absent: a comment, or an empty line.
std::optional<Line> parse(std::string_view line, const std::string& where) {
  const auto words = cut::words(line);
  if (words.empty() || words[0].starts_with('#')) return std::nullopt;
  const auto proxy = HostPort::parse(words[0]);
  const auto fingerprint = words.size() == 2 ? node_client::parse_fingerprint(words[1]) : std::nullopt;
  if (!proxy || proxy->port == 0 || !fingerprint)
    throw tool::Failure(tool::config, where + ": not HOST:PORT and the 64 hex digits of a SHA-256");
  return Line{*proxy, *fingerprint};
}

std::string text_of_file() { return path().empty() ? "" : own_file::read(path()).value_or(""); }

}  // namespace

std::string path() { return own_file::in_home("known_proxies"); }

std::optional<std::string> fingerprint_of(std::string_view text, const std::string& path, const HostPort& proxy) {
  std::optional<std::string> found;
  std::size_t number = 0;
  for (const auto line : cut::lines(text)) {
    const auto known = parse(line, fmt::format("{}:{}", path, ++number));
    if (known && known->proxy == proxy) found = known->fingerprint;
  }
  return found;
}

std::optional<std::string> without(std::string_view text, const std::string& path, const HostPort& proxy) {
  std::string others;
  bool found = false;
  std::size_t number = 0;
  for (const auto line : cut::lines(text)) {
    const auto known = parse(line, fmt::format("{}:{}", path, ++number));
    if (known && known->proxy == proxy) found = true;
    else others += std::string(line) + "\n";
  }
  return found ? std::optional(others) : std::nullopt;
}

std::optional<std::string> recall(const HostPort& proxy) { return fingerprint_of(text_of_file(), path(), proxy); }

void remember(const HostPort& proxy, const std::string& fingerprint) {
  const std::string folder = own_file::in_home("");
  if (folder.empty()) throw tool::Failure(tool::os, "write known_proxies: HOME names no directory");
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) tool::fail_errno(tool::os, "mkdir " + folder);
  std::string text = text_of_file();
  if (!text.empty() && !text.ends_with('\n')) text += '\n';
  text += fmt::format("{} {}\n", proxy.text(), node_client::show_fingerprint(fingerprint));
  whole_file::write(path(), text, {.mode = 0600});
}

bool forget(const HostPort& proxy) {
  const auto rest = without(text_of_file(), path(), proxy);
  if (rest) whole_file::write(path(), *rest, {.mode = 0600});
  return rest.has_value();
}

}  // namespace forward::known_proxies
