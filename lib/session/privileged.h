// session/privileged: one of our helpers that sudo runs as root. It answers with status lines
// (base/status.h).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/child.h"
#include "base/deadline.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/status.h"

namespace session {

class Privileged {
 public:
  // The command line by which sudo runs `tool` of libexec. A site's runas_default has no effect on it.
  static std::vector<std::string> argv(const std::string& tool);

  // Readable when next() has something to return.
  int fd() const { return hung_up_ ? -1 : channel_.get(); }
  // Reads what is there; absent: no whole line yet. hung_up() tells the end.
  std::optional<status::Line> next();
  bool hung_up() const { return hung_up_; }
  // Waits for the next line; absent: it ended or is silent, or `other_fd` became readable.
  std::optional<status::Line> await(const Deadline& deadline, int other_fd = -1);

  // Each helper speaks as soon as it has verified the caller. Before that, a site's own settings take time:
  // Defaults of sudo, PAM, name servers. The deadline is never, once the helper has spoken.
  static constexpr std::chrono::seconds kFirstLineTime{26};
  Deadline first_word() const { return spoke_ ? Deadline::never() : first_word_; }
  bool overdue() const { return first_word().over(); }
  // How long it took to say something; 0 before that.
  std::chrono::milliseconds first_word_after() const { return first_word_after_; }

  // The text that sudo or the tool itself wrote to stderr, on one line.
  std::string complaint();
  // Its exit status; absent: it has not ended by then.
  std::optional<int> wait(std::chrono::milliseconds patience) { return child_.wait_at_most(patience); }

 protected:
  // Starts `tool` of libexec with `in` and `out` as its stdin and stdout; it
  // answers on `channel`.
  Privileged(const std::string& tool, int in, int out, Fd channel);
  Fd& channel() { return channel_; }

 private:
  // Destroyed last: a helper ends when its pipes are closed. The process that started sudo may kill it as long
  // as it has not become the helper.
  child::Child child_;
  Fd err_;
  Fd channel_;
  io::LineBuffer lines_{8192};
  const Deadline::Clock::time_point begun_ = Deadline::Clock::now();
  const Deadline first_word_ = Deadline::at(begun_ + kFirstLineTime);
  std::chrono::milliseconds first_word_after_{0};
  bool spoke_ = false;
  bool hung_up_ = false;
};

}  // namespace session
