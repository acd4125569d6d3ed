// who/asked_host: the host name that the client asked for. SSH does not send it.
//
//   as_session_init --protocol=2 --host=faspex.example.com     (first line of stdin)
//   ascp --host=faspex.example.com:33001 ...                   (command line)
//   ASPERA_HOST=faspex.example.com                             (environment)
//
// All three come from the client and prove nothing. HostPort::parse decides what a name
// is; text that it refuses counts as none.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"

namespace asked_host {

constexpr std::size_t kMaxLine = 1024;  // bytes, newline included
constexpr std::chrono::seconds kPatience{2};

// The name that the first bytes of a stream ask for.
struct Opening {
  bool decided = false;          // more bytes would change nothing
  std::optional<HostPort> name;  // only when decided
};

// `start` is everything received so far. The line is "as_session_init", then words that begin with
// "--", separated by spaces, then LF or CR LF; printable ASCII, and exactly one --host=. Undecided
// only while `start` may still become such a line.
Opening in_stream(std::string_view start);

// The name in the only word --host=NAME; absent when there are several. The first word is the
// command's own name and is ignored.
std::optional<HostPort> in_words(const std::vector<std::string>& words);

// Peeks at the first line on `fd` without consuming a byte: the next reader gets them all. Returns as
// soon as the line is there, or can no longer come (other bytes, end of input), or `patience` is over.
// Only sockets and pipes can be peeked at; anything else, and an error, gives no name.
std::optional<HostPort> peek(int fd, std::chrono::milliseconds patience);

// The first of: the result of peek(stdin), in_words, ASPERA_HOST.
std::optional<HostPort> find(const std::vector<std::string>& words);

}  // namespace asked_host
