#include "../../cmd/asperaproxy/sudo_settings.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using Names = std::vector<std::string>;

namespace {

const std::string kOurs = "/x/asp-pinhole \"\", /x/asp-upstream \"\"";

std::string listing(const std::string& generic, const std::string& bound) {
  return "Matching Defaults entries for bear on dmz:\n    " + generic +
         "\n\nRunas and Command-specific defaults for bear:\n" + bound +
         "\nUser bear may run the following commands on dmz:\n    (root) NOPASSWD: " + kOurs + "\n";
}

Names in_force(const std::string& generic, const std::string& bound) {
  return sudo_settings::in_force(listing(generic, bound), {"/x/asp-pinhole", "/x/asp-upstream"});
}

}  // namespace

TEST_CASE("sudo settings: what sudo lists as on for a helper, the last one that is for it counts") {
  const struct {
    const char* generic;
    std::string bound;
    Names expected;
  } cases[] = {
      {"env_reset, mail_badpass", "", {}},
      {"env_reset, log_input, command_timeout=1m", "", {"log_input", "command_timeout=1m"}},
      {"log_input, !log_input", "", {}},
      {"!log_input, log_input", "", {"log_input"}},
      {"passprompt=\"a, log_input\"", "", {}},
      {"secure_path=/a\\:/b\\, log_input", "", {}},
      {"log_input, use_pty", "    Defaults!" + kOurs + " !log_input, !use_pty\n", {}},
      {"env_reset", "    Defaults!" + kOurs + " !log_input\n    Defaults!ALL log_input\n", {"log_input"}},
      {"env_reset", "    Defaults!ALL log_input\n    Defaults!" + kOurs + " !log_input\n", {}},
      {"env_reset", "    Defaults!/bin/ls foo log_input\n", {}},
      {"env_reset", "    Defaults!/bin/ls, /x/asp-upstream \"\" log_input, requiretty\n", {"requiretty", "log_input"}},
      // sudo forgets the newline between those of accounts and those of commands.
      {"env_reset", "    Defaults>root log_stdin    Defaults!" + kOurs + " !use_pty\n", {"log_stdin"}},
      {"env_reset", "    Defaults>nobody log_stdin\n", {}},
  };
  for (const auto& one : cases) {
    CAPTURE(std::string(one.generic));
    CAPTURE(one.bound);
    CHECK(in_force(one.generic, one.bound) == one.expected);
  }
  CHECK(sudo_settings::in_force("", {"/x/asp-pinhole"}).empty());
  CHECK(sudo_settings::in_force("    Defaults", {"/x/asp-pinhole"}).empty());
  CHECK(sudo_settings::in_force("x\n    Defaults!    Defaults", {"/x/asp-pinhole"}).empty());
  CHECK(sudo_settings::in_force("Matching Defaults entries for bear", {"/x/asp-pinhole"}).empty());
  CHECK(sudo_settings::in_force("User bear may run the following commands on dmz:\n    (root) NOPASSWD: " + kOurs,
                                {"/x/asp-pinhole"})
            .empty());
}

TEST_CASE("sudo settings: what a sudoers file has anywhere") {
  CHECK(sudo_settings::written_in("Defaults log_input\n# Defaults log_output\nDefaults!ALL requiretty,!use_pty, "
                                  "command_timeout=5\nbear ALL = intercept\n") ==
        Names{"requiretty", "log_input", "command_timeout"});
  CHECK(sudo_settings::written_in("").empty());
  CHECK(sudo_settings::written_in("Defaults").empty());
}
