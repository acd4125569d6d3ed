// resp: the format in which Redis is asked and answers (RESP2,
// redis.io/docs/reference/protocol-spec).
//
//   *2\r\n$3\r\nGET\r\n$5\r\nlease\r\n   →   $5\r\nhello\r\n
//
// Whoever answers is not trusted: what they say is bounded and must be of that form.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cluster/redis_message.h"

namespace resp {

// One command with its arguments, any bytes.
std::string command(const std::vector<std::string>& words);

// What Redis says instead of an answer, alone: none of our commands has one in a list.
struct Error {
  std::string text;
};
using Answer = std::variant<redis::Reply, Error>;

// Answers out of what has come so far.
class Parser {
 public:
  // Bytes and elements of all answers together, and how deep lists lie in lists. All of
  // it fits into one redis::message.
  static constexpr std::size_t kMaxBytes = 32u << 20;
  static constexpr std::size_t kMaxElements = redis::message::kMaxValues - 1;
  static constexpr std::size_t kMaxDepth = redis::message::kMaxDepth - 1;

  void add(std::string_view bytes);
  // The next whole answer. Failure{75} when what has come is no answer, or one that
  // is too large; then the parser is of no more use.
  std::optional<Answer> pop();
  // Whether anything is there that was not popped.
  bool empty() const { return at_ == held_.size() && open_.empty(); }

 private:
  struct Open {
    redis::Reply::Array items;
    std::size_t missing;
  };
  std::optional<std::string_view> line();
  bool step();
  void count_element();
  void put(redis::Reply reply);

  std::string held_;
  std::size_t at_ = 0;     // what lies before it is done with
  std::size_t bytes_ = 0;  // all that ever came
  std::size_t elements_ = 0;
  std::vector<Open> open_;  // lists that are not complete, from the outside in
  std::optional<Answer> done_;
};

}  // namespace resp
