// Addresses, networks, ports, and the lists of them in aspera.conf: what is read is written in one
// way, which reads back the same; and what two of the parsers read, they read alike.
//
// options: -max_len=400
#include <arpa/inet.h>

#include "base/address.h"
#include "base/decimal.h"
#include "config/value.h"
#include "fuzz.h"

namespace {

void addresses(const std::string& text) {
  const auto ip = IpAddress::parse(text);
  const auto network = Network::parse(text);
  const auto host = HostPort::parse(text);
  if (!ip) return;
  sockaddr_storage raw;
  Endpoint{*ip, 22}.to_sockaddr(raw);
  fuzz::must(IpAddress::parse(ip->text()) == ip, "an address reads back");
  fuzz::must(Endpoint::from_sockaddr(reinterpret_cast<const sockaddr&>(raw)) == Endpoint{*ip, 22},
             "an address passes through a sockaddr");
  fuzz::must(network && network->base == *ip && network->contains(*ip), "an address is a network of one host");
  fuzz::must(host && host->host == ip->text() && host->port == 0, "an address is a host without a port");
}

void endpoints(const std::string& text) {
  if (const auto end = Endpoint::parse(text)) {
    fuzz::must(Endpoint::parse(end->text()) == end, "an endpoint reads back");
    fuzz::must(HostPort::parse(text) == HostPort{end->ip.text(), end->port}, "an endpoint is a host with a port");
  }
  if (const auto host = HostPort::parse(text)) {
    fuzz::must(HostPort::parse(host->text()) == host, "a host reads back");
    fuzz::must(fuzz::is_printable(host->text()) && host->text().size() <= 262, "a host is short and printable");
    const HostPort known{host->host, host->port == 22 ? Port{0} : host->port};
    fuzz::must(HostPort::parse_known_hosts(host->known_hosts_text()) == known, "a name of known_hosts reads back");
    in_addr old;
    fuzz::must(IpAddress::parse(host->host) || ::inet_addr(host->host.c_str()) == INADDR_NONE ||
                   host->host.find_first_not_of("0123456789.") != std::string::npos ||
                   ::inet_aton(text.c_str(), &old) == 0,
               "digits and dots are not a name");
  }
  if (const auto host = HostPort::parse_known_hosts(text))
    fuzz::must(HostPort::parse_known_hosts(host->known_hosts_text()).has_value(), "a name of known_hosts reads back");
}

void numbers(const std::string& text) {
  if (const auto number = parse_decimal(text, 0, 0x7fffffffffffffff))
    fuzz::must(std::to_string(*number) == text, "a number has one spelling");
  const auto port = parse_port(text);
  const auto range = PortRange::parse(text);
  if (port) fuzz::must(*port > 0 && range == PortRange{*port, *port}, "a port is a range of one");
  if (range) fuzz::must(range->low <= range->high && PortRange::parse(range->text()) == range, "a range reads back");
}

void networks(const std::string& text) {
  const auto network = Network::parse(text);
  if (!network) return;
  const std::string written = network->base.text() + "/" + std::to_string(network->prefix);
  fuzz::must(Network::parse(written) == network, "a network reads back");
  fuzz::must(network->contains(network->base), "a network contains its base");
}

void lists(const std::string& text) {
  std::string again;
  const auto own = config::value::own_addresses(text);
  for (const auto& one : own) again += one.base.text() + "/" + std::to_string(one.prefix) + ",";
  fuzz::must(config::value::own_addresses(again) == own, "a list of own addresses reads back");
  again.clear();
  const auto ends = config::value::endpoints(text);
  for (const auto& one : ends) again += one.text() + " ";
  fuzz::must(config::value::endpoints(again) == ends, "a list of endpoints reads back");
  for (const auto& one : config::value::listen(text)) fuzz::must(one.port != 0, "a listener has a port");
  if (const auto bits = config::value::netmask(text))
    fuzz::must(*bits >= 0 && *bits <= 32, "a netmask has 0 to 32 bits");
}

}  // namespace

void fuzz::one(std::string_view input) {
  const std::string text(input);
  addresses(text);
  endpoints(text);
  numbers(text);
  networks(text);
  lists(text);
}
