#include "settings.h"

#include <algorithm>
#include <cerrno>

#include "base/failure.h"
#include "base/paths.h"
#include "config/log_place.h"

Settings::Stamp Settings::stamp_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    tool::fail_errno(tool::os, "stat " + path);
  }
  return {status.st_dev, status.st_ino, status.st_size, {status.st_ctim.tv_sec, status.st_ctim.tv_nsec}};
}

Settings Settings::read() {
  Settings settings;
  settings.refresh();
  return settings;
}

// The stamp is taken before reading, so a change in between is read next time.
void Settings::refresh() {
  if (const Stamp now = stamp_of(paths::kConfig); now != config_stamp_ || now.size < 0) {
    config_stamp_ = {};
    config_ = config::load(paths::kConfig, config::Author::root);
    config_stamp_ = now;
    config::log_place::follow(config_.rproxy);
  }
  if (const Stamp now = stamp_of(paths::kNodeUsers); now != users_stamp_) {
    users_stamp_ = {};
    users_ = config::node_users::load(paths::kNodeUsers);
    users_stamp_ = now;
  }
}

const config::NodeUser* Settings::user(const std::string& name) const {
  const auto at =
      std::find_if(users_.begin(), users_.end(), [&](const config::NodeUser& user) { return user.name == name; });
  return at == users_.end() ? nullptr : &*at;
}
