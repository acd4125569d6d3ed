// listing: the answers of as_ls, as_du and as_df.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/rooted.h"

namespace ascmd {

using Write = std::function<void(std::string_view bytes)>;

// A directory: its entries whose names match one of `globs`, or all, without links followed. Anything else: itself. It
// is read whole before its answer begins, since that has its length in front. Throws Trouble before anything is
// written.
void list(const Rooted& root, const std::string& path, const std::vector<std::string>& globs, const Write& write);

// Whole answers. Throw Trouble.
std::string disk_usage(const Rooted& root, const std::string& path);
std::string disk_free(const Rooted& root, const std::string& path);

}  // namespace ascmd
