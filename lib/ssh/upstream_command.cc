#include "ssh/upstream_command.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "base/decimal.h"
#include "base/failure.h"

namespace upstream {
namespace {

constexpr std::string_view kNeverQuoted = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-";

std::string quote(const std::string& word) {
  if (!word.empty() && word.find_first_not_of(kNeverQuoted) == word.npos) return word;
  std::string out = "'";
  for (const char c : word) {
    if (c == '\'') out += "'\\''";
    else out += c;
  }
  return out + "'";
}

}  // namespace

std::string shell_command(const std::vector<std::string>& words) {
  std::string line;
  for (const auto& word : words) {
    if (!line.empty()) line += ' ';
    line += quote(word);
  }
  return line;
}

int End::exit_code() const {
  if (signal.empty()) return status;
  const int number = signal_number(signal);
  return number == 0 ? 255 : 128 + number;
}

End End::from_line(const status::Line& line) {
  End end;
  end.signal = line.get("signal");
  if (end.signal.empty())
    end.status = static_cast<int>(parse_decimal(line.get("status"), 0, 255).value_or(tool::internal));
  return end;
}

int signal_number(std::string_view name) {
  static constexpr std::pair<std::string_view, int> kSignals[] = {
      {"ABRT", SIGABRT}, {"ALRM", SIGALRM}, {"FPE", SIGFPE},   {"HUP", SIGHUP},   {"ILL", SIGILL},   {"INT", SIGINT},
      {"KILL", SIGKILL}, {"PIPE", SIGPIPE}, {"QUIT", SIGQUIT}, {"SEGV", SIGSEGV}, {"TERM", SIGTERM}, {"USR1", SIGUSR1},
      {"USR2", SIGUSR2}, {"BUS", SIGBUS},   {"SYS", SIGSYS},   {"TRAP", SIGTRAP}, {"XCPU", SIGXCPU}, {"XFSZ", SIGXFSZ},
  };
  name = name.substr(0, name.find('@'));
  const auto* const found =
      std::find_if(std::begin(kSignals), std::end(kSignals), [&](const auto& entry) { return entry.first == name; });
  return found == std::end(kSignals) ? 0 : found->second;
}

}  // namespace upstream
