// story: the steps of one session as asp-upstream knows them, in the file of <log_directory>, to which the conductor,
// a user's process, cannot write. What asp-pinhole knows it tells itself.
#pragma once

#include <chrono>
#include <string>

#include "base/address.h"
#include "session/request.h"
#include "session/route.h"

class Story {
 public:
  // Tells that the request came. Its caller is verified.
  explicit Story(const session::Asked& asked);
  void connected(const session::Route& route, const HostPort& host, bool reused);
  // `why` as in the conductor's own line: EOF when the command has ended.
  void closed(const std::string& why) const;

 private:
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::string identity_;
};
