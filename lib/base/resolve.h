// base/resolve: whether a name has an address, asked of the system's resolver
// (nsswitch.conf(5)). For programs with rights: what name servers answer is parsed by
// getent(1), which runs as nobody.
//
// Whatever the resolver takes for an address in some writing (127.0.0.1, 127.1, 0x7f.1) has
// no addresses here: addresses are parsed by base/address.h, and nowhere else.
#pragma once

#include <chrono>
#include <string>

#include "base/address.h"
#include "base/child.h"
#include "base/deadline.h"
#include "base/fd.h"

namespace resolve {

// Longer than the resolver waits for a server that does not answer, before it asks another one.
constexpr std::chrono::milliseconds kPatience{15'000};

// One question, while its asker does other things.
class Lookup {
 public:
  enum class Answer { none_yet, yes, no };

  // Starts no process where `name` cannot be one. Failure{71}.
  Lookup(const std::string& name, const IpAddress& address, std::chrono::milliseconds patience);

  // Readable (poll) when there may be an answer; -1: it is no.
  int fd() const { return out_.get(); }
  Answer look();
  // When the answer is no, whatever comes.
  const Deadline& deadline() const { return deadline_; }

 private:
  bool has_address() const;

  IpAddress address_;
  Deadline deadline_;
  Fd out_;
  child::Child child_;
  std::string said_;
};

// The same for one who waits. False also when nobody says in time. Failure{71}.
bool leads_to(const std::string& name, const IpAddress& address, std::chrono::milliseconds patience = kPatience);

}  // namespace resolve
