#include "verbs.h"

#include <unistd.h>

#include "base/failure.h"

namespace asperaproxy {

void require_root() {
  if (::geteuid() != 0)
    throw tool::Failure(tool::not_permitted, "the sessions and the firewall are root's: run it as root, or with sudo");
}

}  // namespace asperaproxy
