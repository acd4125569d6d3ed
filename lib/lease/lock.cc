#include "lease/lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <thread>

#include <fmt/core.h>

#include "base/failure.h"
#include "base/paths.h"

namespace lease {

Lock::Lock() {
  const std::string path = fmt::format("{}/lease_lock", paths::kRun);
  lock_ = fd::open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
  constexpr auto kRetryPause = std::chrono::milliseconds(1);
  constexpr int kMaxAttempts = 10000;
  for (int i = 0; i < kMaxAttempts; ++i) {
    if (::flock(lock_.get(), LOCK_EX | LOCK_NB) == 0) return;
    if (errno != EWOULDBLOCK && errno != EINTR) tool::fail_errno(tool::os, "lock " + path);
    std::this_thread::sleep_for(kRetryPause);
  }
  throw tool::Failure(tool::temporary, path + ": still locked after 10 s");
}

}  // namespace lease
