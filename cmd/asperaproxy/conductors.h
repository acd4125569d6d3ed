// conductors: the processes of sessions, including sessions without UDP, which have no pinhole and no
// record.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace asperaproxy {

struct Conducted {
  std::size_t ended = 0;
  std::vector<std::string> remain;  // one text for each that did not end, with the reason
};

// Ends every ascp_rproxy of this PREFIX in our network namespace (SIGTERM), and
// waits for at most 5 seconds.
Conducted end_conductors();

}  // namespace asperaproxy
