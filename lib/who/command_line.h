// who/command_line: the command that a client asked sshd to run, as words, and whether it is one of
// the few that may be run.
//
// There is no shell anywhere: quotes and backslashes are read as POSIX sh would (2.2 Quoting), and
// everything that would need a shell is refused.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace config {
struct Command;
}

namespace command_line {

using Words = std::vector<std::string>;

constexpr std::size_t kMaxBytes = 4096;

// One line end behind the command is ignored: some clients send it. Absent when `text` is longer than kMaxBytes, holds
// a control character, does not close a quote, ends in a backslash, or holds one of ; & | < > ( ) ` $ # outside single
// quotes. Empty text gives no words.
std::optional<Words> split(std::string_view text);

// True if `words` match `pattern` exactly. In a pattern %d stands for one decimal number of up to 10
// digits, %s (also %1s, %2s, …) for one non-empty word, and a last word "..." for any further words;
// everything else stands for itself. A pattern that cannot be split matches nothing.
bool matches(const Words& words, std::string_view pattern);

// The command lines that real transfer clients send, and those of asp-cp.
const std::vector<config::Command>& built_in();

// The first command of `list` that matches; absent: none.
std::optional<config::Command> find(const Words& words, const std::vector<config::Command>& list);

}  // namespace command_line
