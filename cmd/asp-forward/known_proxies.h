// known_proxies: the certificates that the user has accepted, in ~/.asp-forward/known_proxies, as
// known_hosts is for ssh(1).
//
//   proxy.example.com:9092 3F:A0:…
//
// A line a proxy; of several for one, the last counts. Lines that begin with # are comments.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/address.h"

namespace forward::known_proxies {

// The file's name; empty without a home.
std::string path();

// The fingerprint (64 hex digits) of `proxy`, in `text`, which is the file at `path`. Absent: it is not known.
// Failure{78} "PATH:LINE: why".
std::optional<std::string> fingerprint_of(std::string_view text, const std::string& path, const HostPort& proxy);
// `text` without the lines of `proxy`; absent: it has none.
std::optional<std::string> without(std::string_view text, const std::string& path, const HostPort& proxy);

// The same with the user's file. Failure{78}; {71, 74} when it cannot be written.
std::optional<std::string> recall(const HostPort& proxy);
void remember(const HostPort& proxy, const std::string& fingerprint);
// False: it was not known.
bool forget(const HostPort& proxy);

}  // namespace forward::known_proxies
