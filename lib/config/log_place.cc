#include "config/log_place.h"

#include <optional>

#include "base/failure.h"
#include "base/log_file.h"
#include "base/logging.h"
#include "base/paths.h"
#include "config/config.h"

namespace config::log_place {
namespace {

std::optional<config::Rproxy> configured(config::Author author) {
  try {
    return config::load(paths::kConfig, author).rproxy;
  } catch (const tool::Failure&) {
    return std::nullopt;
  }
}

}  // namespace

void follow(const config::Rproxy& rproxy) {
  logging::set_level(rproxy.log_level);
  logging::set_directory(rproxy.log_directory);
}

void follow(config::Author author) {
  if (const auto rproxy = configured(author)) follow(*rproxy);
}

void prepare() {
  if (const auto rproxy = configured(config::Author::root)) log_file::prepare(rproxy->log_directory);
}

}  // namespace config::log_place
