// base/resolve: whether a name has an address, according to the system's resolver (nsswitch.conf(5)).
// For programs with rights: the answers of name servers are parsed by getent(1), which runs as nobody.
//
// A name that the resolver takes for an address in some writing (127.0.0.1, 127.1, 0x7f.1) has no
// addresses here: addresses are parsed by base/address.h, and nowhere else.
#pragma once

#include <chrono>
#include <string>

#include "base/address.h"
#include "base/child.h"
#include "base/deadline.h"
#include "base/fd.h"

namespace resolve {

// Longer than the resolver waits for a silent server before it asks another one.
constexpr std::chrono::milliseconds kPatience{15'000};

// One question, while the caller does other things.
class Lookup {
 public:
  enum class Answer { none_yet, yes, no };

  // Starts no process if `name` cannot be a name. Failure{71}.
  Lookup(const std::string& name, const IpAddress& address, std::chrono::milliseconds patience);

  // Readable (poll) when there may be an answer; -1: the answer is no.
  int fd() const { return out_.get(); }
  Answer look();
  // From then on the answer is no.
  const Deadline& deadline() const { return deadline_; }

 private:
  bool has_address() const;

  IpAddress address_;
  Deadline deadline_;
  Fd out_;
  child::Child child_;
  std::string said_;
};

// Asks and waits. False also when no answer comes in time. Failure{71}.
bool leads_to(const std::string& name, const IpAddress& address, std::chrono::milliseconds patience = kPatience);

}  // namespace resolve
