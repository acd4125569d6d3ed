// sshd_contexts: the kinds of connection that sshd's Match lines tell apart, to ask sshd about each:
//
//   Match Address 10.0.0.0/8   ->  host=192.0.2.1,addr=192.0.2.1,laddr=127.0.0.1,lport=22
//                                  host=10.0.0.0,addr=10.0.0.0,laddr=127.0.0.1,lport=22
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sshd_contexts {

// What `sshd -T` prints: keywords in small letters, whichever the version writes, each with its values in order.
using Settings = std::map<std::string, std::vector<std::string>>;
Settings parse(std::string_view text);
// The first value, or `otherwise`.
std::string first(const Settings& settings, const std::string& keyword, const std::string& otherwise = {});

// What a Match line looks at, and where connections come from that its patterns match: "host=…,addr=…". Pure.
struct Criteria {
  bool ports = false;      // LocalPort
  bool addresses = false;  // LocalAddress
  std::vector<std::string> remotes;
};
Criteria criteria_of(const std::vector<std::string>& words);

struct Contexts {
  std::vector<std::string> kinds;  // for -C, behind "user=NAME,"; the first is a connection from outside
  std::size_t all = 0;             // more than `kinds` has, if they are very many
  std::vector<std::string> files;  // sshd_config, what it includes, and the directories of that
};
// Read once.
const Contexts& contexts();

}  // namespace sshd_contexts
