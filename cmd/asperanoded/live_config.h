// live_config: the current aspera.conf, as asp-lease follows it, too. An invalid file
// changes nothing.
#pragma once

#include <sys/stat.h>

#include <memory>
#include <mutex>
#include <string>

#include "config/config.h"

namespace asperanoded {

class LiveConfig {
 public:
  // `seen` is the status of the file when `first` was read from it.
  LiveConfig(std::string path, const config::Config& first, const struct stat& seen);

  // Checks whether the file has changed, which takes some microseconds. Thread-safe.
  std::shared_ptr<const config::Config> config();
  // Reads the file, changed or not, and logs that.
  void reread();

 private:
  bool read();

  const std::string path_;
  std::mutex mutex_;
  std::shared_ptr<const config::Config> config_;
  struct stat seen_;
};

// True if both are the same version of the same file.
bool is_same_version(const struct stat& one, const struct stat& other);

}  // namespace asperanoded
