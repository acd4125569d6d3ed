#include "session/dialer.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/passing.h"

namespace session {

Dialer::Dialer(const Record& asked, fd::Pair link)
    : Privileged("asp-upstream", link.write.get(), fd::open("/dev/null", O_WRONLY).get(), std::move(link.read)) {
  passing::send_all(channel().get(), asked.text(), {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO});
}

}  // namespace session
