// sudo_settings: what this host's sudo is to leave alone when it starts a helper of
// ours: settings (Defaults, sudoers(5)) that would come between the helper and who
// it is for. Each sudo knows others, so its own visudo is asked.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sudo_settings {

// Last of all files there, for of two settings for one command sudo takes the later.
constexpr char kFile[] = "/etc/sudoers.d/zz-sallyport";

// What kFile is to be. Failure{71}: there is no visudo, or it takes nothing at all.
std::string text();

// Pure. Of the settings that may be in the way, those that `listing` (sudo -l -U
// user) has on for any of `helpers`, as it writes them: "log_input", "command_timeout=60".
std::vector<std::string> in_force(std::string_view listing, const std::vector<std::string>& helpers);

// Pure. Those that the text of a sudoers file has anywhere, by name: for where sudo
// cannot even list.
std::vector<std::string> written_in(std::string_view sudoers);

}  // namespace sudo_settings
