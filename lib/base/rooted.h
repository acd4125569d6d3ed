// base/rooted: files as they are seen from one directory, which stands for /; openat2(2), RESOLVE_IN_ROOT.
//
// Symbolic links and .. lead nowhere else: /x, ../x and a link to /x are all the directory's own x. Links of /proc that
// lead to what somebody has open are not followed.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/fd.h"

class Rooted {
 public:
  // `start`: where paths that do not begin with a slash begin.
  explicit Rooted(Fd root, std::string start = "/") : root_(std::move(root)), start_(std::move(start)) {}

  // As open(2), with O_CLOEXEC. No descriptor: errno says why.
  Fd open(const std::string& path, int flags, mode_t mode = 0) const;

  // Where the last component of `path` stands, which need not exist and is not followed. Absent: errno says why;
  // EBUSY: `path` ends in the root, or in . or .. .
  struct Slot {
    Fd directory;  // O_PATH
    std::string name;
  };
  std::optional<Slot> slot(const std::string& path) const;

 private:
  Fd root_;
  std::string start_;
};
