// base/status: the lines in which a long-lived tool reports, one event a line.
//
//   flow client=10.0.31.133:60953 server=10.0.30.6:33001
//   refused reason="no rule of aspera.conf leads to 10.9.9.9:22"
//
// An event word, then name=value words. A value with a space, a quote, a
// backslash or an unprintable byte in it, and an empty one, is quoted: within
// quotes \" and \\ stand for themselves and \xNN for a byte.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/failure.h"

namespace status {

struct Line {
  std::string event;
  std::vector<std::pair<std::string, std::string>> words;

  Line& with(std::string_view name, std::string_view value);
  // Empty when it is absent.
  std::string get(std::string_view name) const;
  // With the closing newline.
  std::string text() const;
};

// The code= of a line that reports a failure, if it is one of our codes for failures. It never is a
// code that a client would take for success.
tool::Exit failure_code(const Line& failed);

// "failed code=69 reason=... told=... logged=true", as helpers report it.
Line failed(const tool::Failure& failure);

// Such a line as a failure again; `before` stands before its reason.
tool::Failure failure_of(const Line& failed, const std::string& before = {});

// `line` has no newline. Failure{65} when it is malformed.
Line parse(std::string_view line);

}  // namespace status
