// pinhole: one session's way through the kernel, from its rule to its end.
//
//   waits its turn ─▶ open ─▶ (first answered flow) pinned ─▶ revoked
//                                                     └─▶ lingering ─▶ revoked
//
// Anybody can send a packet in the client's name, but only the client's own is one that the
// server answers. So a flow counts once the server has answered it, or once it has gone on for
// kOneWayTime without an answer.
//
// Sessions of one client address and proxy port cannot be told apart on the
// wire until each has its flow. So they open one after the other. If that
// takes too long, or has done so already, several are open at once and
// settle their flows like this:
//
// * to one server: the oldest without a flow takes a new one. Nobody knows whose it
//   really is, so none of their flows is revoked before all of them ended;
// * to several servers: a flow without an answer within kAnswerTime is handed to
//   the next server's session.
//
// Each of them decides under the firewall's lock, by the records of the others.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "firewall/backend.h"
#include "kernel/conntrack.h"
#include "lifeline.h"
#include "session/session.h"
#include "session/spool.h"
#include "sightings.h"

// Limits on sessions that live at once (0: no limit), and on how long one outlives SSH.
struct Limits {
  unsigned total = 0;
  unsigned of_rule = 0;
  unsigned of_user = 0;
  unsigned in_chain = 0;              // by iptables; always a limit
  std::chrono::seconds lingering{0};  // after the end of its SSH session; always a limit
};

class Pinhole {
 public:
  // `identity` is for the log's file. `life` must outlive this. `sightings` are of the client's address.
  Pinhole(session::Session session, std::string identity, Limits limits, Life& life,
          std::unique_ptr<Sightings> sightings);
  // Revokes, if that was not done.
  ~Pinhole();

  // Waits for its turn among the sessions of the same client, then puts the rule in force. False when the life
  // ends meanwhile. Failure{75} when a limit is reached, or others change the firewall for too long.
  bool open();
  // Learns the first flow, pins the rule to it, and stays until the life ends.
  void hold();
  // Takes rule and flows out, or leaves a process behind that will, when the flow has to outlive the session.
  // Idempotent. On failure the session stays on record for asp-reap, and the failure is logged.
  void revoke();

 private:
  using Clock = std::chrono::steady_clock;
  // A flow to our server that it has not answered. It may be another session's, or nobody's.
  struct Unanswered {
    conntrack::Flow flow;     // as last seen
    Clock::time_point begun;  // when we first saw it
    Clock::time_point active;
  };

  bool wait_for_turn();
  std::optional<session::Session> find_predecessor() const;
  void check_limits() const;
  firewall::Backend& backend() const;
  bool is_beyond_chain() const;
  void put_in_force();
  std::vector<conntrack::Flow> sort_early_flows() const;
  void renew();
  void step(Deadline until);
  void handle_flow(const conntrack::Flow& flow);
  void review_unanswered();
  void drop_surplus();
  void forget(const conntrack::Flow& flow);
  bool may_hand_on(const conntrack::Flow& flow, bool crowded) const;
  void hand_on(const conntrack::Flow& flow);
  enum class Claim { done, taken, not_yet };
  Claim claim(const conntrack::Flow& flow);
  void drop_unclaimed() const;

  // Other living sessions whose open rules collide with ours; those of them
  // that have no flow yet, at our server and elsewhere.
  std::vector<session::Session> peers() const;
  bool is_colleague(const session::Session& peer) const;
  bool is_competitor(const session::Session& peer) const;
  bool is_contested() const;
  std::vector<conntrack::Flow> learn(std::vector<conntrack::Flow> news) const;
  void learn_last() const;
  std::vector<conntrack::Flow> list_ours() const;
  bool has_relatives() const;
  bool must_linger() const;
  void linger();
  // The bytes and packets of our flows.
  using Carried = std::optional<conntrack::Counters>;
  Carried close_rule_and_flows();
  void tell_what_was_missing(bool has_flow_now) const;
  void tell_closed(const Carried& carried) const;
  void report_closed(const Carried& carried) const;

  session::Session session_;
  const std::string identity_;
  const Limits limits_;
  Life& life_;
  std::optional<session::spool::Entry> entry_;
  std::optional<session::spool::Token> turn_;
  std::unique_ptr<Sightings> sightings_;  // until the flow is known
  std::deque<Unanswered> unanswered_;     // the oldest first
  std::set<std::uint32_t> known_;         // their flows' ids
  Clock::time_point next_review_{};       // of these
  Clock::time_point next_hand_on_{};
  int handed_on_ = 0;
  Clock::time_point renewed_{};
  bool in_force_ = false;   // there may be a rule to close
  bool told_open_ = false;  // until then a failure is a refusal
};
