// entries: the names in an open directory.
#pragma once

#include <functional>
#include <string>

#include "base/fd.h"

namespace ascmd {

// No tree is gone into further: each level keeps a descriptor open.
constexpr int kMaxDepth = 500;

// Calls `each` with the names in `directory`, in its order, without . and .. . Throws Trouble.
void for_each_name(const Fd& directory, const std::function<void(const char* name)>& each);

// Opens a directory in `parent`, which is not a link. None: errno says why.
Fd open_directory(int parent, const char* name);

}  // namespace ascmd
