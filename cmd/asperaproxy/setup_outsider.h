// setup_outsider: a client on a network of its own beside the host, which reaches the proxy as people outside do.
#pragma once

#include <string>
#include <vector>

#include "base/address.h"
#include "base/child.h"

namespace asperaproxy::setup {

// While it lives, there is a network namespace with one interface, whose other end is the host's interface
// sallyport-try.
class Outsider {
 public:
  // With an address of the family of `proxy`. Failure{71}: the host does not let us, or has such addresses itself.
  explicit Outsider(const IpAddress& proxy);
  Outsider(const Outsider&) = delete;
  Outsider& operator=(const Outsider&) = delete;
  ~Outsider();

  const IpAddress& address() const { return address_; }
  // Runs a program there; as child::run.
  child::Output run(std::vector<std::string> argv, int seconds) const;

 private:
  void within(std::vector<std::string> argv) const;

  child::Child holder_;
  IpAddress address_;
};

// While it lives, a key of ours opens that user's account, from that address only, and for ten minutes at most.
class Guest {
 public:
  // Failure{71, 77}.
  Guest(const std::string& user, const IpAddress& from);
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;
  ~Guest();

  const std::string& folder() const { return folder_; }  // has "key", and "ssh_config" for this host alone

 private:
  std::string user_;
  std::string folder_;
  std::string line_;
};

}  // namespace asperaproxy::setup
