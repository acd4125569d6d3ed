#include "live_config.h"

#include "base/failure.h"
#include "base/logging.h"

namespace asperanoded {
namespace {

struct stat status_of(const std::string& path) {
  struct stat now {};
  if (::stat(path.c_str(), &now) != 0) now = {};
  return now;
}

}  // namespace

LiveConfig::LiveConfig(std::string path, const config::Config& first, const struct stat& seen)
    : path_(std::move(path)), config_(std::make_shared<const config::Config>(first)), seen_(seen) {}

std::shared_ptr<const config::Config> LiveConfig::config() {
  const struct stat now = status_of(path_);
  const std::lock_guard lock(mutex_);
  if (!is_same_version(now, seen_)) {
    seen_ = now;
    read();
  }
  return config_;
}

void LiveConfig::reread() {
  const std::lock_guard lock(mutex_);
  seen_ = status_of(path_);
  if (read()) logging::event("Read {} again; listeners and certificate change only with a restart", path_);
}

bool LiveConfig::read() {
  try {
    const auto config = config::load(path_, config::Author::root);
    config_ = std::make_shared<const config::Config>(config);
    logging::set_level(config.rproxy.log_level);
    return true;
  } catch (const tool::Failure& failure) {
    logging::error("{}; the earlier configuration stays in force", logging::escape(failure.what()));
    return false;
  }
}

bool is_same_version(const struct stat& one, const struct stat& other) {
  return one.st_ino == other.st_ino && one.st_dev == other.st_dev && one.st_size == other.st_size &&
         one.st_mtim.tv_sec == other.st_mtim.tv_sec && one.st_mtim.tv_nsec == other.st_mtim.tv_nsec &&
         one.st_ctim.tv_sec == other.st_ctim.tv_sec && one.st_ctim.tv_nsec == other.st_ctim.tv_nsec;
}

}  // namespace asperanoded
