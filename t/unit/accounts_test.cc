#include "base/accounts.h"

#include <fstream>
#include <sstream>
#include <string>

#include <doctest/doctest.h>

TEST_CASE("accounts: groups whose members can become root") {
  for (const auto* group : {"root", "sudo", "wheel", "admin", "adm", "shadow", "disk", "staff", "lxd", "incus",
                            "incus-admin", "docker", "podman", "libvirt", "kvm"}) {
    CAPTURE(group);
    CHECK(accounts::is_of_administrators(group));
  }
  for (const auto* group : {"", "users", "sallyport", "sudoers", "Sudo", "lx", "docker "}) {
    CAPTURE(group);
    CHECK_FALSE(accounts::is_of_administrators(group));
  }
}

TEST_CASE("accounts: asp-check.sh knows the same groups") {
  std::ifstream script("cmd/asp-check/asp-check.sh");
  std::string line;
  while (std::getline(script, line) && !line.starts_with("ADMINISTRATORS='")) {
  }
  std::istringstream words(line.substr(line.find('\'') + 1, line.rfind('\'') - line.find('\'') - 1));
  int count = 0;
  for (std::string group; words >> group; ++count) {
    CAPTURE(group);
    CHECK(accounts::is_of_administrators(group));
  }
  CHECK(count == 15);
}
