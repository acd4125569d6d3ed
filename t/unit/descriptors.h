// descriptors: those of this process that are open. Threads of libsrt may close some of an
// earlier case at any time, so what counts is what has come.
#pragma once

#include <dirent.h>

#include <cstdlib>
#include <memory>
#include <set>

class Descriptors {
 public:
  // The open ones that were not open when this was made.
  std::set<int> added() const {
    std::set<int> more;
    for (const int fd : open()) {
      if (!before_.contains(fd)) more.insert(fd);
    }
    return more;
  }

 private:
  static std::set<int> open() {
    std::set<int> found;
    const std::unique_ptr<DIR, int (*)(DIR*)> all(::opendir("/proc/self/fd"), ::closedir);
    while (const auto* entry = ::readdir(all.get())) {
      const int fd = std::atoi(entry->d_name);
      if (entry->d_name[0] != '.' && fd != ::dirfd(all.get())) found.insert(fd);
    }
    return found;
  }
  std::set<int> before_ = open();
};
