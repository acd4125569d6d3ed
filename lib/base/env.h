// base/env: environments are allow-listed; nothing is inherited by accident.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace env {

// The value; absent when it is not set, is longer than 4096 bytes, or has a control character in it.
std::optional<std::string> get(const char* name);

// "NAME=value" for each of `names` that get() finds, and a fixed PATH of the
// system's directories.
std::vector<std::string> allow(std::initializer_list<const char*> names);

}  // namespace env
