// session/dial_program: asp-dial as root's helpers start it for one internal server: under an account without rights,
// with the key over a pipe, and its arguments over another, since everybody may read a command line in /proc.
//
//   DialProgram dial(route, AF_UNSPEC, host, key, "-C", control);
//   dial.argv.insert(dial.argv.end(), {"--", "ascp", …});
//   child::Child child = dial.start();
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/child.h"
#include "base/fd.h"
#include "session/route.h"

namespace session {

struct DialProgram {
  // `conducted` is -C or -R, and `control` our descriptor that becomes that of this option. Failure{71}.
  DialProgram(const Route& route, int family, const HostPort& host, const std::string& key, const char* conducted,
              int control);
  // Failure{71}.
  child::Child start() const;

  std::vector<std::string> argv;
  std::vector<std::pair<int, int>> mapping;
  bool outlives_us = false;

 private:
  Fd key_;
};

}  // namespace session
