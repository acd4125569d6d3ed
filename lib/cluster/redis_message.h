// cluster/redis_message: the messages between a redis::Client and its asp-redis over a Unix
// socket; asp-redis(8). Neither trusts the other: everything is bounded, and must be of this form.
//
//   message   length of the value, 4 bytes; the value
//   value     '-'                                  nothing
//             ':', number, 8 bytes                 a number
//             '$', length, 4 bytes; the bytes      text
//             '*', count, 4 bytes; the values      a list
//
// Numbers have the byte order of this host. The client first sends the terms, which asp-redis
// does not answer. Then it sends questions, and each has one answer:
//
//   terms      (1: any server will do, or 0; servers; Sentinels; password)
//   question   (deadline in ns of CLOCK_MONOTONIC; commands)
//   answer     a list, the replies to the commands; or text, the reason why there are none
//
// A message of another form, or too large, is Failure{65}.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "cluster/redis_reply.h"

namespace redis {

// A command with its arguments, any bytes: {"GET", "sallyport:lease:1"}.
using Command = std::vector<std::string>;

// The servers to ask, and the password.
struct Terms {
  bool any_server = false;          // the first of `servers` is asked, master or not
  std::vector<Endpoint> servers;    // 1 to kMaxServers
  std::vector<Endpoint> sentinels;  // at most kMaxServers
  std::string password;             // empty: none

  static constexpr std::size_t kMaxServers = 64;
};

struct Question {
  std::chrono::steady_clock::time_point deadline;
  std::vector<Command> commands;
};

struct Answer {
  std::string failure;  // empty: there are replies
  std::vector<Reply> replies;

  static constexpr std::size_t kMaxFailure = 8192;
};

namespace message {

// Limits of one message. An answer of Redis that asp-redis accepts always fits.
constexpr std::size_t kMaxBytes = 48u << 20;
constexpr std::size_t kMaxValues = (1u << 20) + 1;
constexpr std::size_t kMaxDepth = 5;  // lists in lists

std::string pack(const Terms& terms);
std::string pack(const Question& question);
std::string pack(Answer answer);
std::string pack_ready();

Terms terms_in(const Reply& value);
Question question_in(const Reply& value);
Answer answer_in(const Reply& value);

// Takes messages out of the bytes that have arrived so far.
class Inbox {
 public:
  void add(std::string_view bytes);
  // The next whole message. After a failure the inbox is of no more use.
  std::optional<Reply> pop();
  // True if there is nothing that was not popped.
  bool empty() const { return held_.empty(); }

 private:
  std::optional<std::size_t> length() const;

  std::string held_;
};

}  // namespace message
}  // namespace redis
