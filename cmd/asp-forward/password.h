// password: the password of a user of the node API, from a file, the URL, the environment, or the
// terminal.
#pragma once

#include <string>

#include "base/signals.h"
#include "proxy_url.h"

namespace forward {

// The first of: the first line of `file`, the URL, ASPERA_PROXY_PASS, what is typed on the terminal.
// Failure{78} when the file cannot be read, or others could read it; {77} when there is neither
// password nor terminal; {128+n} by a signal during the prompt.
std::string find_password(const std::string& file, const ProxyUrl& url, Signals& signals);

}  // namespace forward
