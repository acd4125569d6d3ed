// who/as_user: work in a user's home directory with the user's rights alone, so that nothing the user
// put there leads root elsewhere.
#pragma once

#include <functional>
#include <string>

#include "base/fd.h"
#include "who/proxy_account.h"

namespace as_user {

// Runs `work` in a process of its own as the user, without further groups, terminal or standard
// descriptors, in the user's home directory, and returns its result. An exception of `work` is thrown
// here. The result is as trustworthy as the user, who may have interfered with that process.
// Failure{71} when the process died or took longer than a minute; Failure{77} when the user may not
// enter that directory.
std::string run(const proxy_account::Account& account, const std::function<std::string()>& work);

// For `work`: opens ~/.ssh in the current directory; no link is followed. If it is missing, `make`
// makes it; without `make` the result is an Fd without a file. Failure{77} when ~/.ssh, or the home
// directory, is not the user's own directory.
Fd open_ssh_folder(bool make);

}  // namespace as_user
