// base/whole_file: a file that is written beside the one of its name, and then takes its
// place: whoever reads that name finds the old text or the new, and all of it.
//
//   whole_file::write("/etc/x", text, {.mode = 0644, .durable = true});
#pragma once

#include <fcntl.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

namespace whole_file {

struct Manner {
  mode_t mode = 0600;               // whatever the umask says
  std::optional<gid_t> group = {};  // absent: that of the process
  bool durable = false;             // on the disk before it takes the name (fsync(2))
  int directory = AT_FDCWD;         // which `name` is relative to
  std::string beside = {};          // its name until then; empty: NAME.new. What lies there is taken away
  std::string shown = {};           // its name in messages; empty: NAME
};

// Nothing is left beside it when that fails. Failure{71, 74} "write NAME: why".
void write(const std::string& name, std::string_view text, const Manner& manner = {});

}  // namespace whole_file
