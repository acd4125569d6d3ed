// hello: the datagram by which a client shows its UDP address to the server.
//
// NAT may rewrite the client's address and port on the way, so the server
// learns them from the first datagram that bears the session's proof. Bytes:
//
//   0   8  "ASPCPHI1"
//   8  16  the session, as the server named it over SSH
//   24  1  candidate: which of the server's addresses it was sent to
//   25 32  HMAC-SHA-256 of the 25 before, keyed with the session's passphrase
//
// It carries no secret, and one session's hello is worth nothing to another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace asp_cp {

constexpr std::size_t kHelloSize = 8 + 16 + 1 + 32;

// `session` as in Answer: 32 hex digits.
std::string make_hello(const std::string& session, std::uint8_t candidate, std::string_view passphrase);

// The session that `datagram` claims; absent when it is not a hello.
std::optional<std::string> session_of_hello(std::string_view datagram);

// The candidate when `datagram` is a hello of `session` and its proof is right.
std::optional<std::uint8_t> recognise_hello(std::string_view datagram, const std::string& session,
                                            std::string_view passphrase);

}  // namespace asp_cp
