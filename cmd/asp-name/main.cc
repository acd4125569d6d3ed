// asp-name: looks up one name for asp-lease, where that is a unit of systemd's and may not start getent(1) as
// nobody; asp-name(8).
#include <unistd.h>

#include <chrono>
#include <optional>
#include <string>

#include "base/await.h"
#include "base/child.h"
#include "base/failure.h"
#include "base/io.h"
#include "base/resolve.h"
#include "base/tool.h"

namespace {

constexpr std::size_t kMaxLine = 300;
constexpr std::chrono::seconds kPatience{5};

std::string read_line() {
  const auto deadline = Deadline::in(kPatience);
  io::LineBuffer lines(kMaxLine);
  for (;;) {
    if (const auto line = lines.pop()) return *line;
    if (!await::readable(STDIN_FILENO, deadline)) throw tool::Failure(tool::temporary, "read a question: none came");
    if (!lines.fill(STDIN_FILENO)) throw tool::Failure(tool::bad_input, "read a question: it is incomplete");
  }
}

int run(int argc, char**) {
  if (argc != 1) throw tool::Failure(tool::usage, "asp-name takes no arguments");
  if (::geteuid() == 0)
    throw tool::Failure(tool::not_permitted, "asp-name is for an account without rights, not for root");
  const auto program = resolve::program_for(read_line());
  if (!program) throw tool::Failure(tool::bad_input, "read a question: it is not valid");
  child::replace(*program);
}

}  // namespace

int main(int argc, char** argv) {
  return tool::guard("asp-name", "asp-name", run, argc, argv, tool::Audience::operators);
}
