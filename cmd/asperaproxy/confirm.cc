#include "confirm.h"

#include <fcntl.h>

#include <fmt/core.h>

#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"

namespace asperaproxy {

bool confirm(const std::string& question, const std::string& otherwise) {
  const Fd terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
  if (!terminal)
    throw tool::Failure(tool::usage, fmt::format("ask for confirmation: there is no terminal; {}", otherwise));
  io::write_all(terminal.get(), question);
  io::LineBuffer lines(4096);
  for (;;) {
    if (const auto line = lines.pop()) return *line == "yes";
    if (!lines.fill(terminal.get())) return false;
  }
}

}  // namespace asperaproxy
