// settings: the current aspera.conf and users of the node API, read once, and again whenever the files
// have changed.
#pragma once

#include <string>
#include <vector>

#include <sys/stat.h>

#include "config/config.h"
#include "config/node_users.h"

class Settings {
 public:
  static Settings read();
  // Failure{78} when a file is wrong, {71} when it cannot be examined.
  void refresh();
  const config::Config& config() const { return config_; }
  // Null when there is none of that name.
  const config::NodeUser* user(const std::string& name) const;

 private:
  struct Stamp {
    bool operator==(const Stamp&) const = default;
    dev_t device = 0;
    ino_t number = 0;
    off_t size = -1;
    long changed[2] = {0, 0};  // ctime, which nobody can set back
  };
  static Stamp stamp_of(const std::string& path);

  Stamp config_stamp_;
  Stamp users_stamp_;
  config::Config config_;
  std::vector<config::NodeUser> users_;
};
