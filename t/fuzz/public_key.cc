// The public keys of users: a line that is accepted is one key and nothing else, and is recognized; what is taken over
// from a home directory is lines.
//
// options: -max_len=8192
#include "../../cmd/asp-adduser/public_key.h"
#include "base/cut.h"
#include "fuzz.h"
#include "who/auth_info.h"

void fuzz::one(std::string_view input) {
  const auto keys = fuzz::accepted(tool::bad_input, [&] { return public_key::parse(input, "keys"); });
  for (const auto line : cut::lines(input)) public_key::holds(line, {"ssh-ed25519", "AAAA", ""});
  const auto lines = fuzz::accepted(tool::bad_input, [&] { return public_key::lines_of(input); });
  for (const auto& line : lines ? *lines : std::vector<public_key::Line>{}) {
    const std::string& text = line.text;
    fuzz::must(text.find_first_of("\r\n") == text.npos && text.find('\0') == text.npos, "a line is one");
    fuzz::must(public_key::lines_of(text) == std::vector{line}, "a line that is taken over is taken over again");
    fuzz::must(text.starts_with(line.options.empty() ? line.key.type : line.options), "its options are in front");
  }
  if (!keys) return;
  fuzz::must(!keys->empty() && keys->size() <= public_key::kMaxKeys, "there are keys, but not many");
  for (const auto& key : *keys) {
    const std::string line = key.line();
    fuzz::must(fuzz::is_printable(line) && line.starts_with(key.type + " "), "a key is one line, without options");
    const auto again = public_key::parse(line, "again");
    fuzz::must(again.size() == 1 && again[0].line() == line, "a key reads back");
    fuzz::must(public_key::holds(line, key) && public_key::holds("restrict,pty " + line, key),
               "its line is recognized");
    fuzz::must(!public_key::holds("#" + line, key), "a comment holds no key");
    fuzz::must(!auth_info::fingerprint("publickey " + line).empty(), "sshd and we see the same key");
  }
}
