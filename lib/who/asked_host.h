// who/asked_host: which name did the client ask for? SSH does not send it.
//
//   as_session_init --protocol=2 --host=faspex.example.com     (first line of stdin)
//   ascp --host=faspex.example.com:33001 ...                   (command line)
//   ASPERA_HOST=faspex.example.com                             (environment)
//
// All three come from the client and prove nothing. A name is what
// HostPort::parse takes; one that it does not take counts as none.
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

// What the first bytes of a stream say.
struct Opening {
  bool decided = false;          // more bytes would change nothing
  std::optional<HostPort> name;  // only when decided
};

// `start`: all that is there so far. The line is "as_session_init", then words
// that begin with "--", parted by spaces, then LF or CR LF; printable ASCII, and
// exactly one --host=. Undecided only while `start` may still become one.
Opening in_stream(std::string_view start);

// The one word that is --host=NAME; absent also when there are several. The
// first word is the command's own name and is not looked at.
std::optional<HostPort> in_words(const std::vector<std::string>& words);

// Looks at the first line on `fd` without taking a byte from it: whoever reads
// next gets them all. Returns as soon as the line is there, or cannot be there
// any more (other bytes, end of input), or `patience` is over. Only sockets and
// pipes can be looked at; on anything else, and on errors, there is no name.
std::optional<HostPort> peek(int fd, std::chrono::milliseconds patience);

// The first of: what peek(stdin) finds, in_words, ASPERA_HOST.
std::optional<HostPort> find(const std::vector<std::string>& words);

}  // namespace asked_host
