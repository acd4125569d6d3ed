// sudoers: what this host's sudo is to leave alone, in its own words.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include <fmt/core.h>

#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "sudo_settings.h"
#include "verbs.h"

namespace asperaproxy {

int sudoers() {
  const std::string text = sudo_settings::text();
  // A name with a dot in it is none for sudo.
  const std::string fresh = "/etc/sudoers.d/.zz-sallyport.new";
  ::unlink(fresh.c_str());
  io::write_all(fd::open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0440).get(), text);
  if (::rename(fresh.c_str(), sudo_settings::kFile) != 0)
    tool::fail_errno(tool::os, fmt::format("rename {} to {}", fresh, sudo_settings::kFile));
  io::write_all(STDOUT_FILENO, fmt::format("{} is written\n", sudo_settings::kFile));
  return tool::yes;
}

}  // namespace asperaproxy
