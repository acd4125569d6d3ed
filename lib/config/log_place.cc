#include "config/log_place.h"

#include "base/failure.h"
#include "base/logging.h"
#include "base/paths.h"
#include "config/config.h"

namespace config::log_place {
void follow(const config::Rproxy& rproxy) {
  logging::set_level(rproxy.log_level);
  logging::set_directory(rproxy.log_directory);
}

void follow() {
  try {
    follow(config::load(paths::kConfig, config::Author::root).rproxy);
  } catch (const tool::Failure&) {
    return;
  }
}

}  // namespace config::log_place
