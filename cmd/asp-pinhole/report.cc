#include "report.h"

#include <sys/stat.h>
#include <unistd.h>

#include "fd.h"
#include "tool.h"

namespace report {

void check_standard_descriptors() {
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO}) {
    struct stat status{};
    if (::fstat(standard, &status) != 0) tool::fail_errno(tool::os, "fstat");
    if (!S_ISFIFO(status.st_mode) && !S_ISSOCK(status.st_mode) && !S_ISCHR(status.st_mode)) {
      throw tool::Failure(tool::not_permitted, "stdin and stdout must be pipes, sockets or a terminal");
    }
  }
  fd::set_nonblocking(STDOUT_FILENO);
}

void line(const status::Line& line) {
  const std::string text = line.text();
  [[maybe_unused]] const ssize_t put = ::write(STDOUT_FILENO, text.data(), text.size());
}

}  // namespace report
