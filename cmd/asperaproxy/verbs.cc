#include "verbs.h"

#include <unistd.h>

#include "base/failure.h"
#include "base/io.h"

namespace asperaproxy {

void require_root() {
  if (::geteuid() != 0)
    throw tool::Failure(tool::not_permitted,
                        "only root may read and change the sessions and the firewall: run it as root, or with sudo");
}

void say(const std::string& text) { io::write_all(STDOUT_FILENO, text); }

}  // namespace asperaproxy
