#include "words.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string_view>

#include <fmt/core.h>

#include "base/cut.h"
#include "base/failure.h"

namespace forward {
namespace {

constexpr std::string_view kLetters = "hPOH%";

bool is_program(const std::string& path) {
  struct stat about;
  return ::stat(path.c_str(), &about) == 0 && S_ISREG(about.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

}  // namespace

void check_words(const std::vector<std::string>& words) {
  for (const auto& word : words) {
    for (std::size_t i = word.find('%'); i != word.npos; i = word.find('%', i + 2)) {
      if (i + 1 < word.size() && kLetters.find(word[i + 1]) != kLetters.npos) continue;
      throw tool::Failure(tool::usage,
                          fmt::format("{}: %{} is not known; there are %h %P %O %H, and %% for a percent sign", word,
                                      word.substr(i + 1, 1)));
    }
  }
}

std::string substitute(const std::string& word, const Place& place) {
  std::string out;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (word[i] != '%') {
      out += word[i];
      continue;
    }
    switch (i + 1 < word.size() ? word[++i] : '\0') {
      case 'h': out += place.leased.host.text(); break;
      case 'P': out += std::to_string(place.leased.ssh_port); break;
      case 'O': out += std::to_string(place.leased.udp_ports.low); break;
      case 'H': out += place.destination; break;
      default: out += '%';
    }
  }
  return out;
}

std::string find_program(const std::string& name) {
  if (name.find('/') != name.npos) {
    if (is_program(name)) return std::filesystem::absolute(name).string();
    throw tool::Failure(tool::os, fmt::format("run {}: no program", name));
  }
  const char* const path = std::getenv("PATH");
  for (const auto directory : cut::fields(path ? path : "/usr/local/bin:/usr/bin:/bin", ':')) {
    const auto candidate = std::filesystem::absolute(directory.empty() ? "." : directory) / name;
    if (!name.empty() && is_program(candidate.string())) return candidate.string();
  }
  throw tool::Failure(tool::os, fmt::format("run {}: not found in PATH", name));
}

std::vector<std::string> environment(const std::string& host_key_alias) {
  std::vector<std::string> kept;
  for (char** entry = ::environ; entry && *entry; ++entry) {
    const std::string_view text = *entry;
    const auto name = text.substr(0, text.find('='));
    if (name != "ASPERA_PROXY_PASS" && name != "ASPERA_PROXY" && name != "ASP_CP_HOST_KEY_ALIAS")
      kept.emplace_back(text);
  }
  kept.push_back("ASP_CP_HOST_KEY_ALIAS=" + host_key_alias);
  return kept;
}

}  // namespace forward
