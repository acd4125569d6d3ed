// tried_as: what a user can do, found out by being them.
#pragma once

#include <chrono>
#include <functional>
#include <string>

namespace tried_as {

// Runs `question` in a child that has the identity of `user` (their groups, too) and
// none of our rights; returns what it returned, at most 4 KiB. What it throws is its
// answer, too. Whatever it has begun and not ended, sudo included, is ended here.
// Failure{71} when there is no such user.
std::string ask(const std::string& user, const std::function<std::string()>& question,
                std::chrono::seconds patience = std::chrono::seconds(5));

}  // namespace tried_as
