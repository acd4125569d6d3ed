#include "cluster/redis_reply.h"

#include <fmt/core.h>

#include "base/failure.h"

namespace redis {
namespace {

[[noreturn]] void fail_kind(const char* wanted) {
  throw tool::Failure(tool::temporary, fmt::format("ask Redis: its answer is not {}", wanted));
}

}  // namespace

long long Reply::integer() const {
  if (const auto* number = std::get_if<long long>(&value_)) return *number;
  fail_kind("a number");
}

const std::string& Reply::text() const {
  if (const auto* text = std::get_if<std::string>(&value_)) return *text;
  fail_kind("text");
}

const Reply::Array& Reply::array() const {
  if (const auto* array = std::get_if<Array>(&value_)) return *array;
  fail_kind("a list");
}

}  // namespace redis
