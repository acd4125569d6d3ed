// sudo_settings: settings of sudo (Defaults, sudoers(5)) that would come between one of our helpers
// and its caller, and which this host's sudo must not apply to it. Each sudo knows other settings, so
// its own visudo is asked.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sudo_settings {

// The name sorts last: of two settings for one command sudo takes the later.
constexpr char kFile[] = "/etc/sudoers.d/zz-sallyport";

// The contents for kFile. Failure{71}: there is no visudo, or it accepts nothing at all.
std::string text();

// Pure. The unwanted settings that `listing` (sudo -l -U user) has on for any of `helpers`, as it
// writes them: "log_input", "command_timeout=60".
std::vector<std::string> in_force(std::string_view listing, const std::vector<std::string>& helpers);

// Pure. The names of the unwanted settings anywhere in the text of a sudoers file, for a sudo that
// cannot list them.
std::vector<std::string> written_in(std::string_view sudoers);

}  // namespace sudo_settings
