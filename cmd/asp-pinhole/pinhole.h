// pinhole: one session's way through the kernel, from its rule to its end.
//
//   open ─▶ (first flow) pinned ─▶ revoked
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "conntrack.h"
#include "life.h"
#include "session.h"
#include "spool.h"

class Pinhole {
 public:
  // `life` must outlive this.
  Pinhole(Session session, Life& life);
  // Revokes, if that was not done.
  ~Pinhole();

  // Waits for its turn among the sessions of the same client, then puts the
  // rule in force. False when the life ended meanwhile.
  bool open();
  // Learns the first flow, pins the rule to it, and stays until the life ends.
  void hold();
  // Rule first, then flows: a flow goes on without its rule, but a new one
  // cannot begin. Idempotent. What cannot be taken away stays on record for
  // asp-reap, and is logged.
  void revoke();

 private:
  bool wait_for_turn();
  void forget_early_packets();
  void learn(const std::vector<conntrack::Flow>& flows);
  void pin(const conntrack::Flow& flow);
  void drop_other_ports();
  bool is_ours(const conntrack::Flow& flow) const;
  std::vector<conntrack::Flow> list_ours() const;

  Session session_;
  Life& life_;
  std::optional<spool::Entry> entry_;
  std::optional<spool::Token> turn_;
  std::optional<conntrack::Watch> watch_;
  bool in_force_ = false;
};
