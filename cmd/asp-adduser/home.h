// home: makes the files in a user's ~/.ssh for asp-adduser, with the user's rights.
#pragma once

#include <string>
#include <vector>

#include "public_key.h"
#include "who/proxy_account.h"

namespace home {

struct Wanted {
  std::vector<public_key::Key> keys;  // to be in authorized_keys
  bool own_pair = true;               // a key pair, for rules without squash_user
  std::string type = "ed25519";       // of that pair
};

struct Made {
  std::vector<std::string> steps;  // what was done; empty: everything was there
  std::string public_key;          // of the pair, one line; empty without one
};

// Failure{77} where something is not the user's own file or directory,
// Failure{71} when the system or ssh-keygen refuses.
Made furnish(const proxy_account::Account& account, const Wanted& wanted);

}  // namespace home
