#include "dialer.h"

#include <fcntl.h>
#include <unistd.h>

#include "record.h"

Dialer::Dialer(const std::string& session, const Request& request, fd::Pair link)
    : Privileged("asp-upstream", link.write.get(), fd::open("/dev/null", O_WRONLY).get(), std::move(link.read)) {
  Record asked;
  asked.add("session", session);
  request.add_to(asked);
  fd::send(channel().get(), asked.text(), {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO});
}
