#include "base/failure.h"

#include <cerrno>
#include <cstring>

#include <fmt/core.h>

namespace tool {

void fail_errno(Exit code, const std::string& verb_and_object) {
  throw Failure(code, fmt::format("{}: {}", verb_and_object, std::strerror(errno)));
}

bool is_exit(int code) {
  switch (code) {
    case yes:
    case no:
    case usage:
    case bad_input:
    case unavailable:
    case internal:
    case os:
    case io:
    case temporary:
    case untrusted:
    case not_permitted:
    case config: return true;
    default: return false;
  }
}

}  // namespace tool
