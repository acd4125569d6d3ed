// tried_as: what a user can do, found out by being him.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "child.h"

namespace tried_as {

// Runs `ask` in a child that has the identity of `user` (his groups, too) and
// none of our rights; returns what it returned, at most 4 KiB. At most 5 s. What
// `ask` throws is its answer, too. Failure{71} when there is no such user.
std::string ask(const std::string& user, const std::function<std::string()>& question);

// Runs a program so; stdin is empty.
child::Output run(const std::string& user, const std::vector<std::string>& argv);

}  // namespace tried_as
