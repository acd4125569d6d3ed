// resolver: asks the system's resolver, in a process without rights, whether a
// name has an address; nobody waits for it meanwhile.
#pragma once

#include <chrono>
#include <string>

#include "base/address.h"
#include "base/child.h"
#include "base/fd.h"

class Resolver {
 public:
  // Failure{71}.
  Resolver(const std::string& name, const IpAddress& address);

  enum class Answer { none_yet, yes, no };
  // Readable (poll) when there may be an answer.
  int fd() const { return out_.get(); }
  Answer look();
  // When the answer is no, whatever comes.
  std::chrono::steady_clock::time_point deadline() const { return deadline_; }

 private:
  bool has_address() const;

  IpAddress address_;
  Fd out_;
  child::Child child_;
  std::string said_;
  std::chrono::steady_clock::time_point deadline_;
};
