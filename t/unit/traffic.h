// Sessions drawn at random, the packets of their clients, and who should get which:
// what the models of iptables and nftables are judged by.
//
// The sessions are of a few values that are near to each other: clients that differ in
// one byte, one bit or nothing, ports that only the proxy's address tells apart.
#pragma once

#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "firewall/text.h"
#include "session/session.h"

namespace traffic {

using firewall::text::Family;
using Sessions = std::vector<session::Session>;

constexpr Family kFamilies[] = {Family::v4, Family::v6};
constexpr std::uint32_t kForeignMark = 0x5;  // of somebody else, on every packet's connection

struct Packet {
  Endpoint source, destination;
  std::string protocol = "udp";
  std::uint32_t mark = 0;  // of its connection
};

// What became of the first packet of a flow.
struct Passage {
  Endpoint source, destination;
  std::uint32_t mark = 0;
  std::string sent_on_by;  // the comment of what changed the destination
  bool masqueraded = false;
  bool accepted = false;
  int compared = 0;              // rules that it was compared with
  std::set<std::string> chains;  // that it went through
};

class Draw {
 public:
  explicit Draw(unsigned seed) : engine_(seed) {}
  int below(int limit) { return static_cast<int>(engine_() % static_cast<unsigned>(limit)); }
  bool one_in(int many) { return below(many) == 0; }

 private:
  std::mt19937 engine_;  // whose numbers are the same everywhere
};

// Of one of three networks: 0, with the proxy; 1; 2, with the servers.
IpAddress address(Family family, int net, int last);
session::Session draw_session(Family family, int number, Draw& draw);
// Many have their client in common with another, and some want the same packets.
Sessions draw_sessions(Family family, int count, Draw& draw);
// Of a source port that only this number has.
void draw_flow(session::Session& session, int number, Draw& draw);

// Pinned ones come first, then whoever stands first; nullptr: nobody.
const session::Session* owner(const Sessions& sessions, const Packet& packet);
Packet packet_of(const session::Session& session, Draw& draw);
std::vector<Packet> packets_of(const Sessions& senders, Draw& draw);
// The packet itself, and those that differ in one thing.
std::vector<Packet> with_neighbours(const Packet& packet, Draw& draw);
// What is wrong with where a packet went; empty: nothing. Of FORWARD it says nothing.
std::string complaint(const Sessions& sessions, const Packet& packet, const Passage& passage);

}  // namespace traffic
