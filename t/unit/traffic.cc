#include "traffic.h"

#include <algorithm>

#include <fmt/core.h>

namespace traffic {

IpAddress address(Family family, int net, int last) {
  static const char* kNets[][2] = {{"198.51.100.{}", "2001:db8:c::{:x}"},
                                   {"198.51.101.{}", "2001:db8:c::1:{:x}"},
                                   {"203.0.113.{}", "2001:db8:b::{:x}"}};
  return *IpAddress::parse(fmt::format(fmt::runtime(kNets[net][family == Family::v4 ? 0 : 1]), last));
}

namespace {

// What of a session says to which ports; two of them lead to one port of the server.
void draw_ports(session::Session& session, int kind) {
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

}  // namespace

void draw_flow(session::Session& session, int number, Draw& draw) {
  const PortRange& range = session.route.udp_port_range;
  const Port port = session.ports_kept() ? static_cast<Port>(range.low + draw.below(range.high - range.low + 1))
                                         : session.route.udp_port;
  session.flow = session::PinnedFlow{{session.client.ip, static_cast<Port>(20000 + number)}, {session.host.ip, port}};
}

session::Session draw_session(Family family, int number, Draw& draw) {
  static const int kLast[] = {0, 1, 2, 3, 10, 11, 63, 64, 127, 128, 191, 192, 254, 255};
  session::Session made;
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

Sessions draw_sessions(Family family, int count, Draw& draw) {
  Sessions sessions;
  for (int number = 0; number < count; ++number) {
    session::Session made = draw_session(family, number, draw);
    if (number > 0 && draw.one_in(2)) {
      const session::Session& other = sessions[static_cast<std::size_t>(draw.below(number))];
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

namespace {

bool wants(const session::Session& session, const Packet& packet) {
  const Port port = packet.destination.port;
  if (packet.protocol != "udp" || packet.source.ip != session.client.ip || packet.destination.ip != session.proxy.ip)
    return false;
  if (session.pinned() && packet.source.port != session.flow->client.port) return false;
  if (!session.ports_kept()) return port == session.route.proxy_port;
  if (session.pinned()) return port == session.flow->server.port;
  return session.route.udp_port_range.low <= port && port <= session.route.udp_port_range.high;
}

}  // namespace

const session::Session* owner(const Sessions& sessions, const Packet& packet) {
  for (const bool pinned : {true, false}) {
    for (const auto& session : sessions) {
      if (session.pinned() == pinned && wants(session, packet)) return &session;
    }
  }
  return nullptr;
}

Packet packet_of(const session::Session& session, Draw& draw) {
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

namespace {

IpAddress with_bit_turned(const IpAddress& ip, int bit) {
  std::uint8_t bytes[16];
  std::copy_n(ip.bytes(), 16, bytes);
  bytes[bit / 8] ^= static_cast<std::uint8_t>(0x80 >> bit % 8);
  return ip.is_v4() ? IpAddress::from_v4(bytes) : IpAddress::from_v6(bytes);
}

}  // namespace

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

std::vector<Packet> packets_of(const Sessions& senders, Draw& draw) {
  std::vector<Packet> packets;
  for (const auto& sender : senders) packets.push_back(packet_of(sender, draw));
  return packets;
}

std::string complaint(const Sessions& sessions, const Packet& packet, const Passage& passage) {
  constexpr std::uint32_t kMark = 0x8000000;
  const session::Session* session = owner(sessions, packet);
  Passage right{packet.source, packet.destination, packet.mark, "", false, false, 0, {}};
  if (session) {
    right.sent_on_by = session->id;
    right.destination = {session->host.ip, session->ports_kept() ? packet.destination.port : session->route.udp_port};
    right.source.ip = session->route.bind_source_address.value_or(packet.source.ip);
    right.masqueraded = !session->route.bind_source_address;
    right.mark |= kMark;
  }
  const auto text = [](const Passage& of) {
    return fmt::format("from {} to {} by '{}', mark {:#x}{}", of.source.text(), of.destination.text(), of.sent_on_by,
                       of.mark, of.masqueraded ? ", masqueraded" : "");
  };
  if (text(passage) == text(right)) return {};
  return fmt::format("{} {} -> {} went {}, and not {}", packet.protocol, packet.source.text(),
                     packet.destination.text(), text(passage), text(right));
}

}  // namespace traffic
