#include "base/accounts.h"

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
