// known_hosts: a line that is there for a host never counts as absent, and what trust adds and
// removes is what a session then finds.
//
// options: -max_len=6000
#include <algorithm>

#include "../../cmd/asperaproxy/host_keys.h"
#include "base/cut.h"
#include "fuzz.h"
#include "ssh/known_hosts.h"

namespace {

using known_hosts::Marker;
using known_hosts::Verdict;

const known_hosts::Key kShown{"ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5AAAAIBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ"};

// A line that names the host in so many words, read in the plainest way.
bool names(std::string_view line, std::string_view name) {
  auto words = cut::words(line, " \t\r");
  if (!words.empty() && (words[0] == "@revoked" || words[0] == "@cert-authority")) words.erase(words.begin());
  if (words.empty() || words[0].starts_with('#') || words[0].find('!') != words[0].npos) return false;
  const auto all = cut::fields(words[0], ',');
  return std::find(all.begin(), all.end(), name) != all.end();
}

void entries(const std::string& text, const std::string& name) {
  const auto found = known_hosts::find(text, name);
  std::size_t number = 0;
  for (const auto line : cut::lines(text)) {
    ++number;
    const bool of_host =
        std::any_of(found.of_host.begin(), found.of_host.end(), [&](auto& one) { return one.line == number; });
    const auto& unparsed = found.unparsed;
    if (names(line, name) && !line.starts_with('#') && line.find('#') != 0)
      fuzz::must(of_host || std::find(unparsed.begin(), unparsed.end(), number) != unparsed.end(),
                 "a line of the host is not absent");
  }
  fuzz::must(found.unparsed.empty() == found.unparsed_text().empty(), "lines that cannot be read are told");
  const auto shown = known_hosts::judge(found.of_host, kShown);
  fuzz::must((shown == Verdict::unknown) == found.of_host.empty() ||
                 std::all_of(found.of_host.begin(), found.of_host.end(),
                             [](auto& one) { return one.marker == Marker::revoked; }),
             "a host with an entry is not unknown");
  const auto types = known_hosts::types(found.of_host);
  for (const auto& one : found.of_host) {
    const auto verdict = known_hosts::judge(found.of_host, one.key);
    if (one.marker == Marker::revoked) fuzz::must(verdict == Verdict::revoked, "a revoked key is revoked");
    if (one.marker == Marker::none) {
      fuzz::must(verdict == Verdict::enrolled || verdict == Verdict::revoked, "an enrolled key is enrolled");
      const bool typed = std::find(types.begin(), types.end(), one.key.type) != types.end();
      fuzz::must(typed || verdict == Verdict::revoked, "its type is asked for");
    }
    const auto left = host_keys::without(text, one, name);
    if (!left) continue;
    const auto now = known_hosts::find(*left, name);
    fuzz::must(now.of_host.size() + 1 == found.of_host.size(), "an entry that is removed is gone, and no other");
  }
  const auto more = known_hosts::find(host_keys::with(text, name, kShown), name);
  const auto verdict = known_hosts::judge(more.of_host, kShown);
  fuzz::must(verdict == Verdict::enrolled || verdict == Verdict::revoked, "a key that is added is enrolled");
}

}  // namespace

void fuzz::one(std::string_view input) {
  const std::string text(input);
  for (const char* name : {"inside1.example.com", "203.0.113.10", "[203.0.113.10]:2222"}) entries(text, name);
  for (const auto& key : host_keys::parse_scan(text)) {
    const std::string line = host_keys::with("", "203.0.113.10", key);
    fuzz::must(fuzz::is_printable(line, "\n") && cut::lines(line).size() == 1, "a scanned key is one line");
  }
  host_keys::is_fingerprint(text);
}
