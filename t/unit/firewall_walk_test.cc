// Where packets go by the texts of firewall/text.h: iptables_model takes them as
// iptables-restore would, and leads packets through what comes of it. Who should get
// a packet is decided beside it, by comparing it with the sessions one by one.
//
// The sessions are drawn at random, from a few values that are near to each other:
// clients that differ in one byte, one bit or nothing, ports that only the proxy's
// address tells apart. t/unit/golden/way shows what one of these texts looks like.
#include <doctest/doctest.h>
#include <fmt/core.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "firewall/text.h"
#include "iptables_model.h"

namespace {

namespace text = firewall::text;
using iptables_model::Firewall;
using iptables_model::Packet;
using text::Family;
using Sessions = std::vector<Session>;

constexpr std::uint32_t kMark = 0x8000000;
constexpr std::uint32_t kForeignMark = 0x5;
constexpr Family kFamilies[] = {Family::v4, Family::v6};

class Draw {
 public:
  explicit Draw(unsigned seed) : engine_(seed) {}
  int below(int limit) { return static_cast<int>(engine_() % static_cast<unsigned>(limit)); }
  bool one_in(int many) { return below(many) == 0; }

 private:
  std::mt19937 engine_;  // whose numbers are the same everywhere
};

IpAddress address(Family family, int net, int last) {
  static const char* kNets[][2] = {{"198.51.100.{}", "2001:db8:c::{:x}"},
                                   {"198.51.101.{}", "2001:db8:c::1:{:x}"},
                                   {"203.0.113.{}", "2001:db8:b::{:x}"}};
  return *IpAddress::parse(fmt::format(fmt::runtime(kNets[net][family == Family::v4 ? 0 : 1]), last));
}

// What of a session says to which ports; two of them lead to one port of the server.
void draw_ports(Session& session, int kind) {
  static const struct {
    Port proxy, udp;
    PortRange range;
  } kKinds[] = {{33001, 33001, {1, 2}},
                {443, 33002, {1, 2}},
                {40000, 33002, {1, 2}},
                {0, 33001, {50000, 50099}},
                {0, 33001, {50100, 50100}}};
  session.route.proxy_port = kKinds[kind].proxy;
  session.route.udp_port = kKinds[kind].udp;
  session.route.udp_port_range = kKinds[kind].range;
}

void draw_flow(Session& session, int number, Draw& draw) {
  const PortRange& range = session.route.udp_port_range;
  const Port port = session.ports_kept() ? static_cast<Port>(range.low + draw.below(range.high - range.low + 1))
                                         : session.route.udp_port;
  session.flow = PinnedFlow{{session.client.ip, static_cast<Port>(20000 + number)}, {session.host.ip, port}};
}

Session draw_session(Family family, int number, Draw& draw) {
  static const int kLast[] = {0, 1, 2, 3, 10, 11, 63, 64, 127, 128, 191, 192, 254, 255};
  Session made;
  made.id = fmt::format("11111111-0000-4000-8000-{:012}", number);
  made.client = {address(family, draw.below(3), draw.one_in(3) ? draw.below(256) : kLast[draw.below(14)]), 51512};
  const int proxy = draw.below(2), host = draw.below(2), kind = draw.below(5);
  made.proxy = {address(family, 0, 39 + proxy), 33001};
  made.host = {address(family, 2, 10 + host), 22};
  draw_ports(made, kind);
  // The same rule of aspera.conf says both, so those that want the same packets go on
  // from one address.
  const int bound = (proxy + host + kind) % 3;
  if (bound != 0) made.route.bind_source_address = address(family, 2, bound);
  made.route.src_port_filtering = !draw.one_in(6);
  if (draw.one_in(2)) draw_flow(made, number, draw);
  return made;
}

// Many have their client in common with another, and some want the same packets.
Sessions draw_sessions(Family family, int count, Draw& draw) {
  Sessions sessions;
  for (int number = 0; number < count; ++number) {
    Session made = draw_session(family, number, draw);
    if (number > 0 && draw.one_in(2)) {
      const Session& other = sessions[static_cast<std::size_t>(draw.below(number))];
      const std::string id = made.id;
      if (draw.one_in(2)) made = other;
      made.id = id;
      made.client = other.client;
      made.flow.reset();
      if (draw.one_in(2)) draw_flow(made, number, draw);
    }
    sessions.push_back(made);
  }
  return sessions;
}

bool wants(const Session& session, const Packet& packet) {
  const Port port = packet.destination.port;
  if (packet.protocol != "udp" || packet.source.ip != session.client.ip || packet.destination.ip != session.proxy.ip)
    return false;
  if (session.pinned() && packet.source.port != session.flow->client.port) return false;
  if (!session.ports_kept()) return port == session.route.proxy_port;
  if (session.pinned()) return port == session.flow->server.port;
  return session.route.udp_port_range.low <= port && port <= session.route.udp_port_range.high;
}

// Pinned ones come first, then whoever opened first; nullptr: nobody.
const Session* owner(const Sessions& sessions, const Packet& packet) {
  for (const bool pinned : {true, false}) {
    for (const auto& session : sessions) {
      if (session.pinned() == pinned && wants(session, packet)) return &session;
    }
  }
  return nullptr;
}

Packet packet_of(const Session& session, Draw& draw) {
  Packet packet;
  packet.mark = kForeignMark;
  packet.source = {session.client.ip, static_cast<Port>(1024 + draw.below(10000))};
  packet.destination = {session.proxy.ip, session.route.proxy_port};
  if (session.ports_kept()) {
    const auto [low, high] = session.route.udp_port_range;
    packet.destination.port = draw.one_in(2) ? low : high;
  }
  if (!session.pinned()) return packet;
  packet.source.port = session.flow->client.port;
  if (session.ports_kept()) packet.destination.port = session.flow->server.port;
  return packet;
}

IpAddress with_bit_turned(const IpAddress& ip, int bit) {
  std::uint8_t bytes[16];
  std::copy_n(ip.bytes(), 16, bytes);
  bytes[bit / 8] ^= static_cast<std::uint8_t>(0x80 >> bit % 8);
  return ip.is_v4() ? IpAddress::from_v4(bytes) : IpAddress::from_v6(bytes);
}

// The packet itself, and those that differ in one thing.
std::vector<Packet> with_neighbours(const Packet& packet, Draw& draw) {
  std::vector<Packet> all(9, packet);
  const int bits = packet.source.ip.is_v4() ? 32 : 128;
  all[1].source.ip = with_bit_turned(packet.source.ip, draw.below(bits));
  all[2].source.ip = with_bit_turned(packet.source.ip, bits - 1 - draw.below(8));
  all[3].destination.ip = with_bit_turned(packet.destination.ip, draw.below(bits));
  ++all[4].destination.port;
  --all[5].destination.port;
  ++all[6].source.port;
  all[7].protocol = "tcp";
  std::swap(all[8].source.ip, all[8].destination.ip);
  return all;
}

// Whether a packet goes where it should; `why` says what is wrong.
bool goes_right(const Firewall& firewall, const Sessions& sessions, const Packet& packet, std::string& why) {
  const Session* session = owner(sessions, packet);
  const auto found = firewall.forward(packet);
  why = fmt::format("{} {} -> {} went to {} from {}, by '{}' and not '{}', mark {:#x}, masqueraded {}, accepted {}",
                    packet.protocol, packet.source.text(), packet.destination.text(), found.destination.text(),
                    found.source.text(), found.sent_on_by, session ? session->id : "", found.mark, found.masqueraded,
                    found.accepted);
  if (!session) {
    return found.source == packet.source && found.destination == packet.destination && found.mark == packet.mark &&
           found.sent_on_by.empty() && !found.masqueraded && !found.accepted;
  }
  const Port port = session->ports_kept() ? packet.destination.port : session->route.udp_port;
  const IpAddress source = session->route.bind_source_address.value_or(packet.source.ip);
  return found.sent_on_by == session->id && found.destination == Endpoint{session->host.ip, port} &&
         found.source == Endpoint{source, packet.source.port} && found.mark == (packet.mark | kMark) &&
         found.masqueraded == !session->route.bind_source_address && found.accepted;
}

// The first that goes wrong; empty: all go right.
std::string first_astray(const Firewall& firewall, const Sessions& sessions, const std::vector<Packet>& packets) {
  std::string why;
  for (const auto& packet : packets) {
    if (!goes_right(firewall, sessions, packet, why)) return why;
  }
  return {};
}

std::vector<Packet> packets_of(const Sessions& senders, Draw& draw) {
  std::vector<Packet> packets;
  for (const auto& sender : senders) packets.push_back(packet_of(sender, draw));
  return packets;
}

void check_packets(const Firewall& firewall, const Sessions& sessions, const Sessions& senders, Draw& draw) {
  for (const auto& packet : packets_of(senders, draw))
    CHECK(first_astray(firewall, sessions, with_neighbours(packet, draw)) == "");
}

text::Standing standing(const Firewall& firewall) {
  return text::standing(firewall.list("nat"), firewall.list("filter"));
}

text::Base judge(const Firewall& firewall, Family family) {
  return text::judge_base(family, firewall.list("nat"), firewall.list("filter"));
}

// Laid as asp-pinhole and asp-reap do: what stands there is looked at first.
void lay(Firewall& firewall, Family family, const Sessions& sessions) {
  firewall.restore(text::base(family, sessions, standing(firewall)));
}

Firewall laid(Family family, const Sessions& sessions) {
  Firewall firewall;
  lay(firewall, family, sessions);
  return firewall;
}

// With the administrator's own rules, before ours and behind them.
Firewall foreign() {
  Firewall firewall;
  firewall.restore("*nat\n-A PREROUTING -p tcp -j REDIRECT\n-A PREROUTING -p udp -m comment --comment mine -j ACCEPT\n"
                   ":MINE - [0:0]\n-A MINE -j ACCEPT\n-A POSTROUTING -p tcp -j MINE\nCOMMIT\n"
                   "*filter\n-A FORWARD -d 192.0.2.1/32 -j ACCEPT\nCOMMIT\n");
  return firewall;
}

std::vector<std::string> sorted(const Firewall& firewall) {
  auto lines = firewall.list("nat");
  for (auto& line : firewall.list("filter")) lines.push_back("filter " + line);
  std::sort(lines.begin(), lines.end());
  return lines;
}

bool is_bucket(const std::string& chain) {
  const auto& all = text::buckets(true);
  return std::find(all.begin(), all.end(), chain) != all.end();
}

}  // namespace

TEST_CASE("firewall walk: each session's packets go to its server by its own rule, and those of nobody go nowhere") {
  for (const auto family : kFamilies) {
    for (unsigned seed = 1; seed <= 12; ++seed) {
      CAPTURE(seed);
      Draw draw(seed);
      const auto sessions = draw_sessions(family, 1 + draw.below(40), draw);
      const Firewall firewall = laid(family, sessions);
      check_packets(firewall, sessions, sessions, draw);
      check_packets(firewall, sessions, draw_sessions(family, 20, draw), draw);
    }
  }
}

TEST_CASE("firewall walk: a session of every last byte of an address has its packets, and no other has them") {
  for (const auto family : kFamilies) {
    Draw draw(7);
    Sessions sessions;
    for (int last = 0; last < 256; ++last) {
      sessions.push_back(draw_session(family, last, draw));
      sessions.back().client.ip = address(family, 0, last);
      sessions.back().flow.reset();
    }
    check_packets(laid(family, sessions), sessions, sessions, draw);
  }
}

TEST_CASE("firewall walk: sessions open, are pinned and close one by one, and the base is as it was") {
  for (const auto family : kFamilies) {
    for (unsigned seed = 1; seed <= 4; ++seed) {
      CAPTURE(seed);
      Draw draw(seed);
      Sessions waiting = draw_sessions(family, 20, draw), living;
      Firewall firewall = laid(family, waiting);
      firewall.restore(text::close(family, waiting));
      const Firewall before = firewall;
      int flows = 0;
      while (!waiting.empty() || !living.empty()) {
        if (!waiting.empty() && (living.empty() || draw.one_in(2))) {
          living.push_back(waiting.back());
          waiting.pop_back();
          living.back().flow.reset();
          firewall.restore(text::open(family, {living.back()}));
        } else if (auto& one = living[draw.below(static_cast<int>(living.size()))]; !one.flow && draw.one_in(2)) {
          draw_flow(one, ++flows, draw);
          firewall.restore(text::pin(family, {one}));
        } else {
          firewall.restore(text::close(family, {one}));
          living.erase(living.begin() + (&one - living.data()));
        }
        CHECK(first_astray(firewall, living, packets_of(living, draw)) == "");
        CHECK(first_astray(firewall, living, packets_of(waiting, draw)) == "");
      }
      CHECK(sorted(firewall) == sorted(before));
    }
  }
}

TEST_CASE("firewall walk: several at once open, are pinned and close as one by one") {
  for (const auto family : kFamilies) {
    Draw draw(3);
    auto sessions = draw_sessions(family, 30, draw);
    Firewall firewall = laid(family, sessions);
    firewall.restore(text::close(family, sessions));
    const Firewall before = firewall;
    auto unpinned = sessions;
    for (auto& session : unpinned) session.flow.reset();
    firewall.restore(text::open(family, unpinned));
    check_packets(firewall, unpinned, sessions, draw);
    firewall.restore(text::pin(family, sessions));
    check_packets(firewall, sessions, sessions, draw);
    CHECK(sorted(firewall) == sorted(laid(family, sessions)));
    CHECK_THROWS_AS(firewall.restore(text::pin(family, sessions)), iptables_model::Refused);
    firewall.restore(text::close(family, sessions));
    CHECK(sorted(firewall) == sorted(before));
    CHECK_THROWS_AS(firewall.restore(text::close(family, sessions)), iptables_model::Refused);
  }
}

TEST_CASE("firewall walk: chains are few and short, each is reached, and a packet of nobody meets few rules") {
  for (const auto family : kFamilies) {
    Draw draw(5);
    const auto sessions = draw_sessions(family, 40, draw);
    const Firewall firewall = laid(family, sessions);
    const auto& nat = firewall.table("nat");
    std::set<std::string> reached;
    std::size_t of_sessions = 0;
    for (const auto& [name, chain] : nat) {
      for (const auto& rule : chain) reached.insert(rule->target);
      if (is_bucket(name)) of_sessions += chain.size();
      else CHECK_MESSAGE(chain.size() <= (iptables_model::is_built_in(name) ? 1 : 4), name);
    }
    for (const auto& [name, chain] : nat)
      CHECK_MESSAGE((iptables_model::is_built_in(name) || reached.contains(name)), name);
    CHECK(nat.size() == 4 + 2 + 2 * (1 + 4 + 16 + 64 + 256));
    const auto bound = std::count_if(sessions.begin(), sessions.end(), [](const Session& session) {
      return session.route.bind_source_address.has_value();
    });
    CHECK(of_sessions == sessions.size() + static_cast<std::size_t>(bound));
    for (int last = 0; last < 256; ++last) {
      Packet packet{{address(family, 1, last), 5000}, {address(family, 0, 99), 33001}};
      const auto in_bucket = nat.at(fmt::format("SALLYPORT-DNAT-{:02x}", last)).size();
      // The jump, three of SALLYPORT, four levels of four, and the rules of FORWARD and POSTROUTING.
      CHECK(firewall.forward(packet).compared <= static_cast<int>(1 + 3 + 4 * 4 + in_bucket + 2));
      packet.protocol = "tcp";
      CHECK(firewall.forward(packet).compared == 3);
    }
  }
}

TEST_CASE("firewall walk: the base is the same whatever stood there, and what is not ours stays") {
  for (const auto family : kFamilies) {
    Draw draw(11);
    const auto sessions = draw_sessions(family, 10, draw);
    auto unbound = sessions;
    for (auto& session : unbound) session.route.bind_source_address.reset();
    Firewall whole = foreign();
    lay(whole, family, sessions);
    CHECK(judge(whole, family) == text::Base::present);
    const auto check = [&](Firewall before) {
      lay(before, family, sessions);
      CHECK(sorted(before) == sorted(whole));
      CHECK(judge(before, family) == text::Base::present);
      check_packets(before, sessions, sessions, draw);
    };
    check(whole);
    Firewall other = foreign();
    lay(other, family, unbound);
    CHECK(judge(other, family) == text::Base::present);
    CHECK(other.table("nat").size() < whole.table("nat").size());
    check(other);
    Firewall back = whole;
    lay(back, family, unbound);
    CHECK(sorted(back) == sorted(other));
    // Each jump, and its lack, a second one of it, and what an older release had.
    for (const auto& chain : text::all_jumps()) {
      const std::string table = chain == "FORWARD" ? "filter" : "nat";
      const std::string jump = chain + " " + whole.table(table).at(chain).front()->text;
      REQUIRE(text::is_jump("-A " + jump));
      Firewall damaged = whole;
      damaged.restore("*" + table + "\n-D " + jump + "\nCOMMIT\n");
      CHECK(judge(damaged, family) == text::Base::damaged);
      check(damaged);
      damaged = whole;
      damaged.restore("*" + table + "\n-I " + jump + "\nCOMMIT\n");
      CHECK(judge(damaged, family) == text::Base::damaged);
      check(damaged);
    }
    Firewall old = foreign();
    old.restore(
        "*nat\n:SALLYPORT - [0:0]\n:SALLYPORT-OLD - [0:0]\n:SALLYPORT-OLDER - [0:0]\n-A SALLYPORT -g SALLYPORT-OLD\n"
        "-A SALLYPORT-OLD -g SALLYPORT-OLDER\n-I PREROUTING -m comment --comment sallyport -j SALLYPORT\nCOMMIT\n"
        "*filter\n:SALLYPORT - [0:0]\n-A SALLYPORT -j ACCEPT\n"
        "-A FORWARD -m comment --comment sallyport -j SALLYPORT\nCOMMIT\n");
    CHECK(judge(old, family) == text::Base::damaged);
    Firewall purged = old;
    purged.restore(text::purge(standing(purged)));
    CHECK(sorted(purged) == sorted(foreign()));
    check(old);
  }
}

TEST_CASE("firewall walk: purge takes away all that is ours and nothing else, of whatever is left of it") {
  for (const auto family : kFamilies) {
    Draw draw(13);
    const auto sessions = draw_sessions(family, 10, draw);
    Firewall whole = foreign();
    lay(whole, family, sessions);
    Firewall accepting = foreign();
    accepting.restore(text::accepting(standing(accepting)));
    for (Firewall firewall : {whole, accepting, foreign()}) {
      firewall.restore(text::purge(standing(firewall)));
      CHECK(firewall == foreign());
    }
    Firewall flushed = whole;
    flushed.restore("*nat\n-F SALLYPORT-DNAT\n-F SALLYPORT-DNAT-0a\nCOMMIT\n");
    CHECK(judge(flushed, family) == text::Base::damaged);
    flushed.restore(text::purge(standing(flushed)));
    CHECK(flushed == foreign());
  }
}

namespace {

std::string without(const std::string& table, const std::string& line) {
  return fmt::format("*{}\n-D {}\nCOMMIT\n", table, line.substr(3));
}

// Whether open() is refused for lack of that rule; it must have changed nothing then.
bool is_missed(const Firewall& empty, const std::string& table, const std::string& line, const Session& session) {
  Firewall damaged = empty;
  damaged.restore(without(table, line));
  const Firewall before = damaged;
  try {
    damaged.restore(text::open(text::family_of(session), {session}));
    return false;
  } catch (const iptables_model::Refused&) {
    CHECK(damaged == before);
    return true;
  }
}

}  // namespace

TEST_CASE("firewall walk: open is refused, and changes nothing, where a rule is missing on the way to its own") {
  Draw draw(17);
  for (const auto family : kFamilies) {
    const bool bound = family == Family::v6;
    Session session = draw_session(family, 1, draw);
    session.route.bind_source_address.reset();
    if (bound) session.route.bind_source_address = address(family, 2, 1);
    Firewall firewall = laid(family, {session});
    const auto passed = firewall.forward(packet_of(session, draw)).chains;
    firewall.restore(text::close(family, {session}));
    int missed = 0, number = 0;
    for (const char* table : {"nat", "filter"}) {
      for (const auto& line : firewall.list(table)) {
        // All rules of the chains that its packets pass, and some of the others.
        const bool beside = !passed.contains(line.substr(3, line.find(' ', 3) - 3));
        if (!line.starts_with("-A ") || (beside && ++number % 16 != 0)) continue;
        missed += is_missed(firewall, table, line, session) ? 1 : 0;
      }
    }
    // Three jumps, a rule on each level of a tree, and for the second tree what leads there.
    CHECK(missed == 3 + 4 + (bound ? 1 + 4 : 0));
    Firewall nothing;
    CHECK_THROWS_AS(nothing.restore(text::open(family, {session})), iptables_model::Refused);
    CHECK(nothing == Firewall());
  }
}
