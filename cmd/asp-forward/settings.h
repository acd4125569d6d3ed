// settings: what need not be on each command line of asp-forward, from /etc/asp-forward.conf and from
// ~/.asp-forward/settings, whose values come before.
//
//   # Lines name=value; nothing is executed, and no variable replaced.
//   proxy=dnats://proxy.example.com
//   user=alice
//   password_file=~/.asp-forward/password
//   fingerprint=3F:A0:…
//   timeout=15
//   ssh_port=33001
//   udp_port=33001
//
// user, password_file, fingerprint and ca are those of a proxy: where another one is asked than `proxy`,
// by its option or by ASPERA_PROXY, they do not count.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proxy_url.h"

namespace forward {

struct Settings {
  std::optional<ProxyUrl> proxy;
  // Each empty where nothing is set. Limits are those of the options of these names.
  std::string user;
  std::string password_file;  // absolute
  std::string fingerprint;    // 64 hex digits
  std::string ca;             // absolute
  std::string timeout;
  std::string ssh_port;
  std::string udp_port;

  // Failure{78} "PATH: why": a name that is unknown or there twice, a value that is not valid.
  static Settings parse(std::string_view text, const std::string& path);
  // Both files; Failure{78}.
  static Settings load();

  // `others` come after what is set here.
  void fall_back_on(const Settings& others);
  // For another proxy than `proxy`, nothing of what belongs to one.
  void keep_for(const ProxyUrl& asked);
};

}  // namespace forward
