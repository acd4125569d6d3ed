#include "report.h"

#include <unistd.h>

#include <cerrno>

#include "base/logging.h"

namespace report {

void line(const status::Line& line) {
  const std::string text = line.text();
  logging::debug2("Says: {}", text.substr(0, text.size() - 1));
  const Patience patience;
  std::size_t said = 0;
  while (said < text.size() && !patience.rang()) {
    const ssize_t put = ::write(STDOUT_FILENO, text.data() + said, text.size() - said);
    if (put > 0) said += static_cast<std::size_t>(put);
    else if (put < 0 && errno != EINTR) break;
  }
  if (said < text.size()) logging::debug1("Nobody read: {}", logging::escape(text));
}

}  // namespace report
