// password: where asnodeadmin gets a password from, and how it hides it.
#pragma once

#include <string>

namespace password {

// The only line of standard input; its newline may be missing. Failure{65}.
std::string from_stdin();

// Asks for it on the terminal, twice, without echo. Failure{64}: there is no terminal; {65}: the two
// differ, or it is not a valid password. The terminal is restored when a signal ends the program.
std::string from_terminal(const std::string& user);

// Overwrites `given` on the command line, which all users of the host can read, with asterisks. "-"
// and an empty text are not passwords.
void hide(int argc, char** argv, const std::string& given);

}  // namespace password
