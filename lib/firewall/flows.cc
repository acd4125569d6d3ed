#include "firewall/flows.h"

#include "kernel/connmark.h"

namespace firewall::flows {
namespace {

PortRange proxy_ports(const session::Session& session) {
  if (session.ports_kept()) return session.route.udp_port_range;
  return {session.route.proxy_port, session.route.proxy_port};
}

}  // namespace

bool is_of_lease(const conntrack::Flow& flow) { return (flow.mark & connmark::kLeaseBit) != 0; }

bool would_take(const session::Session& session, const Endpoint& client, const Endpoint& proxy) {
  const auto ports = proxy_ports(session);
  return client.ip == session.client.ip && proxy.ip == session.proxy.ip && ports.low <= proxy.port &&
         proxy.port <= ports.high;
}

bool is_flow_of(const session::Session& session, const conntrack::Flow& flow) {
  return session.flow && session.flow->client == flow.client && session.flow->server == flow.server;
}

bool belongs(const session::Session& session, const conntrack::Flow& flow) {
  if (is_of_lease(flow) || !would_take(session, flow.client, flow.proxy) || flow.server.ip != session.host.ip)
    return false;
  if (!session.ports_kept() && flow.server.port != session.route.udp_port) return false;
  return !session.pinned() || is_flow_of(session, flow);
}

Endpoint proxy_end(const session::Session& pinned) {
  return {pinned.proxy.ip, pinned.ports_kept() ? pinned.flow->server.port : pinned.route.proxy_port};
}

bool collide(const session::Session& one, const session::Session& other) {
  const auto a = proxy_ports(one);
  const auto b = proxy_ports(other);
  return one.client.ip == other.client.ip && one.proxy.ip == other.proxy.ip && a.low <= b.high && b.low <= a.high;
}

}  // namespace firewall::flows
