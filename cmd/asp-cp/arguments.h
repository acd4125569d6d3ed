// arguments: what the user asks for, checked before anything starts.
//
//   asp-cp -l 100M report.pdf bear@dmz.example.com:/incoming
//   asp-cp 'bear@[2001:db8::1]:/outgoing/report.pdf' .
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"

namespace asp_cp {

constexpr Port kUdpPort = 33001;
constexpr char kUsage[] = "asp-cp [-qrv] [-F ssh_config] [-i key] [-l rate] [-O udp_port] [-P ssh_port] [-R tries] "
                          "source... [user@]host:target\n"
                          "asp-cp ... [user@]host:source... target\n"
                          "asp-cp --ls|--du|--mkdir|--rm [-q] [--json] [-F ssh_config] [-i key] [-P ssh_port] "
                          "[user@]host:path...\n"
                          "asp-cp --mv ... [user@]host:source [user@]host:target\n"
                          "asp-cp --check [-q] [--json] [-F ssh_config] [-i key] [-l rate] [-O udp_port] "
                          "[-P ssh_port] [user@]host\n"
                          "asp-cp -S [-d docroot] [-u allow|deny|token] [-w allow|deny|token]";

// One operand. A name with a colon before its first slash is remote, as for
// scp(1); `./a:b` is a local file.
struct Place {
  std::string user;  // empty: ssh decides
  std::string host;  // empty: local. Name or address, without brackets
  std::string path;  // remote and empty: the login directory

  bool remote() const { return !host.empty(); }
  // Failure{64} when it is malformed: an empty or forged host or user, a path with a NUL or of more than
  // kMaxPath bytes.
  static Place parse(const std::string& operand);
  bool same_end(const Place& other) const { return user == other.user && host == other.host; }
};

// Whether a server takes part in transfers of one direction; asp-cp has no tokens.
enum class Permission { allow, deny, token };

// The operation of the server's ascmd, if there is no transfer.
enum class Browse { no, ls, du, mkdir, rm, mv };

struct Command {
  Browse browse = Browse::no;  // then `sources` are the paths, all of `far`
  bool check = false;          // transfer nothing, tell what would come between
  bool json = false;           // of ls, du and check
  bool server = false;         // -S
  std::string docroot;         // of the server: stands for /; empty: none
  Permission uploads = Permission::allow;
  Permission downloads = Permission::allow;
  bool quiet = false;
  bool verbose = false;
  bool recursive = false;
  unsigned retries = 0;  // how many attempts in a row may bring nothing new
  std::string ssh_config;
  std::string key;
  std::optional<Port> ssh_port;
  Port udp_port = kUdpPort;
  std::uint64_t rate = 0;  // bits a second; 0: no limit
  bool upload = true;
  Place far;                         // user and host of the other end; `path` unused
  std::vector<std::string> sources;  // paths on the sending end
  std::string target;                // path on the receiving end

  // Failure{64}.
  static Command parse(int argc, char** argv);
};

// Bits a second: a number with up to three decimals, followed by K, M or G (of 1000); from 100K to
// 100G. Failure{64}.
std::uint64_t parse_rate(std::string_view text);

// The last component of `path`, trailing slashes aside. Failure{64} when there
// is none that could name a file: "", "/", ".", "..".
std::string base_name(const std::string& path);

}  // namespace asp_cp
