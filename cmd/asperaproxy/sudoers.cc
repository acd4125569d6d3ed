// sudoers: writes the settings that this host's sudo must not apply to our helpers.
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
  // sudo ignores a name with a dot in it.
  const std::string beside = "/etc/sudoers.d/.zz-sallyport.new";
  whole_file::write(sudo_settings::kFile, text, {.mode = 0440, .beside = beside});
  io::write_all(STDOUT_FILENO, fmt::format("{} is written\n", sudo_settings::kFile));
  return tool::yes;
}

}  // namespace asperaproxy
