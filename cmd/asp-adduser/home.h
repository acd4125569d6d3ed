// home: makes and reads the files in a user's ~/.ssh for asp-adduser, with the user's rights.
#pragma once

#include <string>
#include <vector>

#include "public_key.h"
#include "who/proxy_account.h"

namespace home {

struct Wanted {
  std::vector<public_key::Key> keys;  // that open the account
  bool move = false;                  // those of ~/.ssh, too
  bool own_pair = true;               // a key pair, for rules without squash_user
  std::string type = "ed25519";       // of that pair
};

struct Made {
  std::vector<std::string> steps;  // what was done; empty: everything was there
  std::string public_key;          // of the pair, one line; empty without one
  std::vector<std::string> warnings;
};

// Failure{77} where something is not the user's own file or directory,
// Failure{71} when the system or ssh-keygen refuses.
Made furnish(const proxy_account::Account& account, const Wanted& wanted);

// The text of ~/.ssh/authorized_keys and authorized_keys2, which the user may have written; empty without them. The
// same failures.
std::string keys_at_home(const proxy_account::Account& account);

}  // namespace home
