// base/whole_file: writes a file beside the one of its name, and then puts it in its place:
// readers of that name find all of the old text or all of the new one.
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
  mode_t mode = 0600;               // whatever the umask is
  std::optional<gid_t> group = {};  // absent: that of the process
  bool durable = false;             // on the disk before it takes the name (fsync(2))
  int directory = AT_FDCWD;         // `name` is relative to it
  std::string beside = {};          // its temporary name; empty: NAME.new. An existing file of that name is deleted
  std::string shown = {};           // its name in messages; empty: NAME
};

// On failure no temporary file is left. Failure{71, 74} "write NAME: why".
void write(const std::string& name, std::string_view text, const Manner& manner = {});

}  // namespace whole_file
