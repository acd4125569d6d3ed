// base/resolve: the addresses of a name, according to the system's resolver (nsswitch.conf(5)).
// For programs with rights: the answers of name servers are parsed by getent(1), which runs as nobody, or, where
// the program may not change the account, as whatever account asp-name has.
//
// A name that the resolver takes for an address in some writing (127.0.0.1, 127.1, 0x7f.1) has no
// addresses here: addresses are parsed by base/address.h, and nowhere else.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/child.h"
#include "base/deadline.h"
#include "base/fd.h"

namespace resolve {

// Longer than the resolver waits for a silent server before it asks another one.
constexpr std::chrono::milliseconds kPatience{15'000};

// As asp-name is asked: "ahostsv4 server.example.com". `family`: AF_INET, AF_INET6, or AF_UNSPEC for both.
// Absent: `name` cannot be a name.
std::optional<std::string> question(const std::string& name, int family);
// The program whose output answers it. Absent: it is none.
std::optional<child::Program> program_for(std::string_view question);

// One question, while the caller does other things.
class Lookup {
 public:
  // Asks nobody if `name` cannot be a name. Failure{71}.
  Lookup(const std::string& name, int family, std::chrono::milliseconds patience);

  // Readable (poll) when there may be an answer; -1: there are no addresses.
  int fd() const { return out_.get(); }
  // Absent: not yet. Empty also when no answer comes in time.
  std::optional<std::vector<IpAddress>> look();
  const Deadline& deadline() const { return deadline_; }

 private:
  void ask(const std::string& question);
  void start(const std::string& question);
  std::vector<IpAddress> addresses() const;

  Deadline deadline_;
  Fd out_;
  child::Child child_;
  std::string said_;
};

// Asks and waits. Failure{71}.
std::vector<IpAddress> addresses_of(const std::string& name, int family,
                                    std::chrono::milliseconds patience = kPatience);

// Whether `name` has that address.
bool leads_to(const std::string& name, const IpAddress& address, std::chrono::milliseconds patience = kPatience);

}  // namespace resolve
