// resp: the format of commands to Redis, and of its answers (RESP2,
// redis.io/docs/reference/protocol-spec).
//
//   *2\r\n$3\r\nGET\r\n$5\r\nlease\r\n   →   $5\r\nhello\r\n
//
// The other end is not trusted: its answers are bounded and must be of that form.
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

// An error of Redis instead of an answer. It stands alone: none of our commands gets one within a
// list.
struct Error {
  std::string text;
};
using Answer = std::variant<redis::Reply, Error>;

// Takes answers out of the bytes that have arrived so far.
class Parser {
 public:
  // Limits on the bytes and elements of all answers together, and on the depth of lists in lists. All of it
  // fits into one redis::message.
  static constexpr std::size_t kMaxBytes = 32u << 20;
  static constexpr std::size_t kMaxElements = redis::message::kMaxValues - 1;
  static constexpr std::size_t kMaxDepth = redis::message::kMaxDepth - 1;

  void add(std::string_view bytes);
  // The next whole answer. Failure{75} when the bytes are not an answer, or it is too large; then the parser
  // is of no more use.
  std::optional<Answer> pop();
  // True if there is nothing that was not popped.
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
  std::size_t at_ = 0;     // the bytes before it are done
  std::size_t bytes_ = 0;  // received in total
  std::size_t elements_ = 0;
  std::vector<Open> open_;  // incomplete lists, from the outermost to the innermost
  std::optional<Answer> done_;
};

}  // namespace resp
