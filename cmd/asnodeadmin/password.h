// Where asnodeadmin gets a password from, and how it keeps it from being seen.
#pragma once

#include <string>

namespace password {

// The one line of standard input; its newline may be missing. Failure{65}.
std::string from_stdin();

// Asked for on the terminal, twice, with what is typed unseen. Failure{64}: there
// is no terminal; {65}: the two differ, or it is none. A signal that ends the
// program does so with the terminal as it was.
std::string from_terminal(const std::string& user);

// `given` on the command line, which all users of the host can read: from here on
// they read asterisks there. "-" and nothing are no passwords.
void hide(int argc, char** argv, const std::string& given);

}  // namespace password
