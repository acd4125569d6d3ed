// who/as_user: work in a user's home directory with his rights alone, so that
// nothing he put there leads root elsewhere.
#pragma once

#include <functional>
#include <string>

#include "base/fd.h"
#include "who/proxy_account.h"

namespace as_user {

// Runs `work` in a process of its own that is the user, without further groups,
// terminal or standard descriptors, in his home directory, and returns what
// it returned. What it throws is thrown here. What comes back is as trustworthy
// as the user: he may have a hand in that process. Failure{71} when it died,
// or took longer than a minute; Failure{77} when he may not enter that directory.
std::string run(const proxy_account::Account& account, const std::function<std::string()>& work);

// For `work`: ~/.ssh, as the current directory's; no link is followed. With
// `make`, made when missing; else an Fd without a file then. Failure{77} when
// it, or the home directory, is not the user's own directory.
Fd open_ssh_folder(bool make);

}  // namespace as_user
