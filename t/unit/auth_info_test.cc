#include <doctest/doctest.h>

#include "who/auth_info.h"

// A key of its own, and what `ssh-keygen -lf` says of it.
constexpr char kKey[] = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN6aS/3anyD1VpskYUbRG4KZT3tGB4AXhtx+dfINYlsb";
constexpr char kFingerprint[] = "SHA256:s7gZoRHeUWyy/WsaW7lFzblmQfRMVbG5wGT89dvXtGk";

TEST_CASE("auth_info: the fingerprint of the key is what ssh-keygen prints") {
  CHECK(auth_info::fingerprint("publickey " + std::string(kKey) + "\n") == kFingerprint);
  CHECK(auth_info::fingerprint("keyboard-interactive/pam\npublickey " + std::string(kKey)) == kFingerprint);
}

TEST_CASE("auth_info: without a key, or with a broken one, there is none") {
  for (const char* text : {"", "\n", "password\n", "publickey\n", "publickey ssh-ed25519\n",
                           "publickey ssh-ed25519 !!!!\n", "publickey  AAAA"}) {
    CAPTURE(text);
    CHECK(auth_info::fingerprint(text).empty());
  }
}
