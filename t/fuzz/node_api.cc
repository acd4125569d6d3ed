// What a client sends to the node service: the body of a request, its type, its login.
//
// options: -max_len=8192
#include "../../cmd/asperanoded/basic_auth.h"
#include "../../cmd/asperanoded/lease_request.h"
#include "../../cmd/asperanoded/refusal.h"
#include "base/base64.h"
#include "fuzz.h"
#include "lease/lease.h"

namespace {

using namespace asperanoded;

template <typename Parse>
auto taken(Parse parse) -> std::optional<decltype(parse())> {
  try {
    return parse();
  } catch (const Refusal& refusal) {
    const std::string_view why = refusal.what();
    fuzz::must(why.size() < 1024 && fuzz::is_printable(why), "a refusal is short and printable");
    return std::nullopt;
  }
}

void check(const LeaseRequest& request) {
  const auto& ports = request.udp_ports;
  fuzz::must(request.ssh_port != 0 && ports.low != 0 && ports.low <= ports.high, "ports are ports");
  fuzz::must(ports.high - ports.low < lease::kMaxUdpPorts, "the number of ports is bounded");
  fuzz::must(fuzz::is_printable(request.destination) && request.destination.size() <= 253,
             "a destination is printable");
  const auto target = config::destination::Target::parse(request.destination);
  fuzz::must(target && target->address == request.target.address && target->name == request.target.name,
             "a destination reads back");
}

}  // namespace

void fuzz::one(std::string_view input) {
  if (const auto request = taken([&] { return LeaseRequest::parse(input); })) check(*request);
  taken([&] { return require_nothing(input), true; });
  if (is_json(input)) fuzz::must(fuzz::is_printable(input, "\t"), "a type is printable");
  const std::string header = input.starts_with("Basic ") ? std::string(input) : "Basic " + base64::encode(input);
  if (const auto given = basic_auth::parse(header)) {
    fuzz::must(!given->name.empty() && given->name.find(':') == std::string::npos, "a name has no colon");
    const std::string again = "Basic " + base64::encode(given->name + ":" + given->password);
    fuzz::must(again.size() <= header.size() && basic_auth::parse(again)->password == given->password,
               "a login has one form");
  }
}
