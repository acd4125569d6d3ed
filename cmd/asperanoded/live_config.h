// live_config: <proxy> of aspera.conf as it is now, as asp-lease follows it, too.
// A file that is not valid changes nothing.
#pragma once

#include <sys/stat.h>

#include <memory>
#include <mutex>
#include <string>

#include "config/config.h"

namespace asperanoded {

class LiveConfig {
 public:
  // `seen`: the file when `first` was read from it.
  LiveConfig(std::string path, const config::Proxy& first, const struct stat& seen);

  // Looks whether the file was changed: some microseconds. Thread-safe.
  std::shared_ptr<const config::Proxy> proxy();
  // Reads it, changed or not, and says so in the log.
  void reread();

 private:
  bool read();

  const std::string path_;
  std::mutex mutex_;
  std::shared_ptr<const config::Proxy> proxy_;
  struct stat seen_;
};

// Whether both are the same version of the same file.
bool is_same_version(const struct stat& one, const struct stat& other);

}  // namespace asperanoded
