#include "cluster/redis_away.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <string_view>

#include <fmt/core.h>

#include "base/boot_clock.h"
#include "base/decimal.h"
#include "base/fd.h"
#include "base/logging.h"
#include "base/paths.h"

namespace redis {
namespace {

using std::chrono::milliseconds;

std::string path() { return std::string(paths::kRun) + "/redis-away"; }

milliseconds since_boot() { return std::chrono::duration_cast<milliseconds>(boot_clock::now()); }

// A malformed time, or one that we would not have written, counts as over.
bool is_over(int fd) {
  char text[24];
  const ssize_t length = ::pread(fd, text, sizeof text, 0);
  const auto until =
      parse_decimal({text, static_cast<std::size_t>(length < 0 ? 0 : length)}, 0, std::numeric_limits<long>::max());
  const auto now = since_boot();
  return !until || milliseconds(*until) <= now || milliseconds(*until) > now + kPause;
}

void pause(int fd) {
  const std::string until = std::to_string(milliseconds(since_boot() + kPause).count());
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, until.data(), until.size(), 0) < 0)
    logging::error("Cannot write {}", path());
}

}  // namespace

bool may_ask() {
  const Fd file(::open(path().c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return errno == ENOENT;
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) return false;  // another process is asking
  if (!is_over(file.get())) return false;
  pause(file.get());
  return true;
}

void note_away(const std::string& why) {
  const bool news = ::access(path().c_str(), F_OK) != 0;
  const Fd file(::open(path().c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file) pause(file.get());
  if (news) logging::error("Redis is away, this node goes on with what it knows itself: {}", logging::escape(why));
}

void note_back() {
  if (::unlink(path().c_str()) == 0) logging::event("Redis is back");
}

}  // namespace redis
