// cluster/redis_reply: one answer of Redis: nothing, a number, text (any bytes), or a list of answers.
#pragma once

#include <string>
#include <variant>
#include <vector>

namespace redis {

class Reply {
 public:
  using Array = std::vector<Reply>;

  Reply() = default;  // nil
  explicit Reply(long long number) : value_(number) {}
  explicit Reply(std::string text) : value_(std::move(text)) {}
  explicit Reply(Array array) : value_(std::move(array)) {}

  bool is_nil() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_integer() const { return std::holds_alternative<long long>(value_); }
  bool is_text() const { return std::holds_alternative<std::string>(value_); }
  // Failure{75} when it is of another kind.
  long long integer() const;
  const std::string& text() const;
  const Array& array() const;

 private:
  std::variant<std::monostate, long long, std::string, Array> value_;
};

}  // namespace redis
