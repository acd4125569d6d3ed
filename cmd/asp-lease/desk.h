// desk: does what verified requests ask for: many at a time, with one
// transaction in the kernel for all of them.
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

  // Base rules of leases and sessions, unless the proxy is stopped or has no
  // forward proxy. What fails is logged.
  void prepare();

  // What other nodes of a cluster know of leases; to be called now and then.
  void catch_up();

  // Answers each of `jobs`, which are ready, in this order.
  void serve(const std::vector<Job*>& jobs);

  // Flows that are in the way of leases that were opened lately: ends them if
  // nobody asks for anything now, or has to wait for long.
  void end_early_flows(bool idle);
  bool has_early_flows() const { return !fresh_.empty(); }

 private:
  void serve_locked(const std::vector<Job*>& jobs);
  void handle(Job& job);
  void open(Job& job);
  void renew(Job& job);
  void close(Job& job);
  void list(Job& job);
  Lease find(const Job& job);
  void check_admission(const Job& job);
  void put_in_force();
  void withdraw_opened();
  void log_done() const;

  lease::Registry& registry_;
  lease::Store& store_;
  const Settings& settings_;
  std::vector<Lease> fresh_;  // whose early flows were not looked for yet
  std::chrono::steady_clock::time_point first_fresh_;
  // Of the jobs at hand:
  lease::rules::Change change_;
  std::vector<Job*> changing_;             // whose answers count only once that is in force
  std::set<firewall::text::Family> lost_;  // families whose rules had to be put back
};
