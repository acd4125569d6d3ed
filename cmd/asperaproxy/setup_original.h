// setup_original: what `asperaproxy setup --from-original` takes over from a host where the original proxy was.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace asperaproxy::setup {

// aspera.conf of the original, as far as this suite understands it.
struct Taken {
  std::string text;
  std::vector<std::string> left_out;  // "12:7: <rule>: why", a line each
};
// Pure. What is wrong in a <rule> costs the rule: without that part it might let in more than before. Failure{78} when
// it is not XML, or nothing sensible is left.
Taken take_over(std::string text);

// sudoers(5) without the lines that let somebody run iptables-restore, and nothing else, as root.
struct Grants {
  std::string text;
  std::vector<std::string> deleted;  // the lines
  std::vector<std::string> by_hand;  // those that have it among others
};
// Pure.
Grants without_restore(std::string_view sudoers);
// The files of sudo on this host, each with what is to go from it; only those that have such lines.
std::map<std::string, Grants> old_grants();

}  // namespace asperaproxy::setup
