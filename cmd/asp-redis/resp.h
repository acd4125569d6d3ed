// cluster/resp: the format in which Redis is asked and answers (RESP2,
// redis.io/docs/reference/protocol-spec).
//
//   *2\r\n$3\r\nGET\r\n$5\r\nlease\r\n   →   $5\r\nhello\r\n
//
// Whoever answers is not trusted: what he says is bounded and must be of that form.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace redis {

// One answer: nothing, a number, text (bytes), or a list of answers. What is not of
// the kind that is asked for: Failure{75}.
class Reply {
 public:
  using Array = std::vector<Reply>;
  struct Error {
    std::string text;
  };

  Reply() = default;  // nil
  explicit Reply(long long number) : value_(number) {}
  explicit Reply(std::string text) : value_(std::move(text)) {}
  explicit Reply(Array array) : value_(std::move(array)) {}
  explicit Reply(Error error) : value_(std::move(error)) {}

  bool is_nil() const { return std::holds_alternative<std::monostate>(value_); }
  long long integer() const;
  const std::string& text() const;
  const Array& array() const;
  // nullptr: it is none. Client throws those, so that its callers meet none.
  const Error* error() const { return std::get_if<Error>(&value_); }

 private:
  std::variant<std::monostate, long long, std::string, Array, Error> value_;
};

}  // namespace redis

namespace resp {

// One command with its arguments, any bytes.
std::string command(const std::vector<std::string>& words);

// Answers out of what has come so far.
class Parser {
 public:
  // Bytes and elements of all answers together, and how deep lists lie in lists.
  static constexpr std::size_t kMaxBytes = 32u << 20;
  static constexpr std::size_t kMaxElements = 1u << 20;
  static constexpr std::size_t kMaxDepth = 4;

  void add(std::string_view bytes);
  // The next whole answer. Failure{75} when what has come is no answer, or one that
  // is too large; then the parser is of no more use.
  std::optional<redis::Reply> pop();
  // Whether anything is there that was not popped.
  bool empty() const { return at_ == held_.size() && open_.empty(); }

 private:
  struct Open {
    redis::Reply::Array items;
    std::size_t missing;
  };
  std::optional<std::string_view> line();
  bool step();
  void put(redis::Reply reply);

  std::string held_;
  std::size_t at_ = 0;     // what lies before it is done with
  std::size_t bytes_ = 0;  // all that ever came
  std::size_t elements_ = 0;
  std::vector<Open> open_;  // lists that are not complete, from the outside in
  std::optional<redis::Reply> done_;
};

}  // namespace resp
