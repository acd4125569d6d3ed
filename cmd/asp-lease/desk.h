// desk: carries out verified requests, many at a time, with one transaction in the kernel for all of
// them.
#pragma once

#include <chrono>
#include <set>
#include <vector>

#include "firewall/text.h"
#include "job.h"
#include "lease/registry.h"
#include "lease/rules.h"
#include "settings.h"

class Desk {
 public:
  Desk(lease::Registry& registry, const Settings& settings)
      : registry_(registry), store_(*registry.store), settings_(settings) {}

  // Lays the base rules of leases and sessions, unless the proxy is stopped or has no forward proxy. Failures
  // are logged.
  void prepare();

  // Takes over what other nodes of a cluster know of leases. To be called regularly.
  void catch_up();

  // Answers each of `jobs`, which are ready, in this order.
  void serve(const std::vector<Job*>& jobs);

  // Ends flows that came before the rules of recent leases: when no request waits, or when they have waited
  // long.
  void end_early_flows(bool idle);
  bool has_early_flows() const { return !fresh_.empty(); }

 private:
  void serve_locked(const std::vector<Job*>& jobs);
  void handle(Job& job);
  void open(Job& job);
  void renew(Job& job);
  void close(Job& job);
  void list(Job& job);
  lease::Lease find(const Job& job);
  void check_admission(const Job& job);
  void put_in_force();
  void close_opened();
  void log_done() const;

  lease::Registry& registry_;
  lease::Store& store_;
  const Settings& settings_;
  std::vector<lease::Lease> fresh_;  // their early flows have not been looked for yet
  std::chrono::steady_clock::time_point first_fresh_;
  // For the current jobs:
  lease::rules::Change change_;
  std::vector<Job*> changing_;             // their answers count only once the change is in force
  std::set<firewall::text::Family> lost_;  // families whose rules had to be laid again
};
