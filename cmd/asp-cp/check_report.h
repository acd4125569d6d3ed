// check_report: what `asp-cp --check` prints, a line for each step, and for one that fails whom to ask.
//
//   TCP         ok    198.51.100.39 port 33001 answers in 12 ms: SSH-2.0-OpenSSH_9.2p1
//   UDP there   FAIL  no datagram to 198.51.100.39 port 33001 arrives
//                     Ask the administrator of your own firewall to let UDP out to 198.51.100.39 port 33001.
#pragma once

#include <string>
#include <vector>

#include "arguments.h"
#include "base/failure.h"

namespace asp_cp {

struct Finding {
  std::string step;
  std::string says;
  std::string ask = {};  // a sentence or two; empty: nobody has to be asked
};

// A step that ends the check.
class StepFailed : public tool::Failure {
 public:
  StepFailed(tool::Exit code, Finding found) : Failure(code, found.says), finding(std::move(found)) {}
  Finding finding;
};

class CheckReport {
 public:
  explicit CheckReport(const Command& command) : command_(command) {}

  void good(const Finding& finding) { add("ok", finding); }
  // Transfers work, but not as they could.
  void doubtful(const Finding& finding);
  void failed(const StepFailed& failure);
  // The exit status: that of the step that failed, 1 if one is doubtful. Prints JSON if that was asked for.
  int finish() const;

 private:
  void add(const char* state, const Finding& finding);

  struct Line {
    std::string state;
    Finding finding;
  };
  const Command& command_;
  std::vector<Line> lines_;
  int code_ = tool::yes;
};

}  // namespace asp_cp
