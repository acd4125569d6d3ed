// tried_as: finds out what a user can do, by running as the user.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace tried_as {

// The doctor tries so many at most: each trial runs sudo several times.
constexpr std::size_t kMostUsers = 100;

// Runs `question` in a child that has the identity of `user` (with its groups) and none of our rights;
// returns its result, at most 4 KiB. An exception's text is a result, too. Whatever the child started
// and did not end, sudo included, is ended here. Failure{71} when there is no such user.
std::string ask(const std::string& user, const std::function<std::string()>& question,
                std::chrono::seconds patience = std::chrono::seconds(5));

// Those of `users`, as far as they have accounts, who cannot read the file at `path`.
std::vector<std::string> without_access(const std::vector<std::string>& users, const std::string& path);

}  // namespace tried_as
