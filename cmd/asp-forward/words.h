// words: the command line to run, with the lease put in.
//
//   asp-cp -P %P -O %O file user@%h:/tmp  →  asp-cp -P 5000 -O 5000 file user@203.0.113.1:/tmp
#pragma once

#include <string>
#include <vector>

#include "answer.h"

namespace forward {

// %h the proxy's address, %P its SSH port, %O its (first) UDP port, %H the
// destination, %% a percent sign.
struct Place {
  const Leased& leased;
  const std::string& destination;
};

// Failure{64} when a % is followed by anything else.
void check_words(const std::vector<std::string>& words);
std::string substitute(const std::string& word, const Place& place);

// The file that `name` stands for, as a shell finds it; Failure{71} when there is none that can be
// run.
std::string find_program(const std::string& name);

// Our environment, without anything that would reveal the password, and with the name under which
// asp-cp(1) finds the destination's host key.
std::vector<std::string> environment(const std::string& host_key_alias);

}  // namespace forward
