#include "password.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include <fmt/core.h>

#include "base/env.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/logging.h"
#include "base/terminal.h"

namespace forward {
namespace {

constexpr std::size_t kMaxPassword = 1024;

bool is_password(const std::string& text) {
  return text.size() <= kMaxPassword &&
         std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

std::string from_file(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!file) tool::fail_errno(tool::config, "open " + path);
  struct stat about;
  if (::fstat(file.get(), &about) != 0) tool::fail_errno(tool::config, "stat " + path);
  if (!S_ISREG(about.st_mode) && !S_ISFIFO(about.st_mode))
    throw tool::Failure(tool::config, fmt::format("read {}: no file", path));
  if ((about.st_mode & 077) != 0 || (about.st_uid != ::geteuid() && about.st_uid != 0)) {
    throw tool::Failure(
        tool::config, fmt::format("read {}: others can read or change it; chown it to yourself, and chmod 600", path));
  }
  const auto text = io::read_all(file.get(), 4 * kMaxPassword, path);
  auto line = text.substr(0, text.find('\n'));
  if (line.ends_with('\r')) line.pop_back();
  if (line.empty() || !is_password(line))
    throw tool::Failure(tool::config, fmt::format("read {}: no password in its first line", path));
  return line;
}

std::string from_terminal(const ProxyUrl& url, Signals& signals) {
  std::optional<std::string> line;
  {
    AskingTerminal terminal(kMaxPassword);
    if (!terminal.is_there()) {
      throw tool::Failure(
          tool::not_permitted,
          fmt::format("no password for {}, and no terminal to ask on; set ASPERA_PROXY_PASS, or use --password-file",
                      url.user));
    }
    line =
        terminal.ask(fmt::format("Password of {} at {}: ", logging::escape(url.user), url.host.text()), signals.fd());
  }
  if (line && is_password(*line)) return *line;
  if (const auto caught = signals.take()) signals::end_by(caught->number);
  throw tool::Failure(tool::not_permitted, "no password was given");
}

}  // namespace

std::string find_password(const std::string& file, const ProxyUrl& url, Signals& signals) {
  if (!file.empty()) return from_file(file);
  if (url.password) return *url.password;
  if (const auto password = env::get("ASPERA_PROXY_PASS")) return *password;
  return from_terminal(url, signals);
}

}  // namespace forward
