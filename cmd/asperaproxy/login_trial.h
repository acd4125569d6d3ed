// login_trial: logs in to internal servers as sessions do, by asp-dial, and leaves before any command runs.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "balance/blame.h"
#include "base/address.h"
#include "session/route.h"

namespace login_trial {

struct Login {
  session::Route route;
  HostPort host;  // one of the route's
  std::string user;
  uid_t uid = 0;
};

struct Outcome {
  enum class What { logged_in, failed, not_tried } what = What::not_tried;
  std::string reason;                                         // of what failed, or was not tried
  std::string host_key;                                       // where it logged in: "ssh-ed25519 SHA256:..."
  balance::blame::Party party = balance::blame::Party::ours;  // likewise
  bool of_host() const;                                       // likewise: another account would not get in, either
};

// One outcome for each of `logins`, in their order. Different hosts are tried at once, one host's logins one after the
// other: what comes after a failure of the host has the same outcome, and after two accounts that were refused
// nothing more is tried there, so that the host does not begin to refuse this proxy (PerSourcePenalties of OpenSSH).
// Whose key cannot be read is not tried. All of it takes at most a minute. Failure{71}.
std::vector<Outcome> try_all(const std::vector<Login>& logins);

}  // namespace login_trial
