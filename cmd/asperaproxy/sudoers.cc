// sudoers: what this host's sudo is to leave alone, in its own words.
#include <unistd.h>

#include <string>

#include <fmt/core.h>

#include "base/failure.h"
#include "base/io.h"
#include "base/whole_file.h"
#include "sudo_settings.h"
#include "verbs.h"

namespace asperaproxy {

int sudoers() {
  const std::string text = sudo_settings::text();
  // A name with a dot in it is none for sudo.
  const std::string beside = "/etc/sudoers.d/.zz-sallyport.new";
  whole_file::write(sudo_settings::kFile, text, {.mode = 0440, .beside = beside});
  io::write_all(STDOUT_FILENO, fmt::format("{} is written\n", sudo_settings::kFile));
  return tool::yes;
}

}  // namespace asperaproxy
