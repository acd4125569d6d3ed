#include "lease/lock.h"

#include <fcntl.h>

#include <string>

#include <fmt/core.h>

#include "base/paths.h"

namespace lease {

Lock::Lock() {
  const std::string path = fmt::format("{}/lease_lock", paths::kRun);
  lock_ = fd::open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
  fd::lock_in_line(lock_.get(), path);
}

}  // namespace lease
