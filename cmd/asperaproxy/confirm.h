// confirm: a question to whoever sits at the terminal, wherever stdin and stdout lead.
#pragma once

#include <string>

namespace asperaproxy {

// True for "yes", false for anything else. Failure{64}, which ends with `otherwise`, when there is no terminal.
bool confirm(const std::string& question, const std::string& otherwise);

}  // namespace asperaproxy
