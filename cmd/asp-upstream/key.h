// key: the private key of a session, read for a user who may not read it.
#pragma once

#include <string>

#include "caller.h"
#include "route.h"

namespace key {

// The text of the route's key file. One that the user himself can read is read
// with his rights, so that no link of his leads anywhere else. Any other must
// lie on a path that has not been made from his name, belong to root and be
// writable by root alone. Failure{78}.
std::string read(const Route& route, const Caller& caller);

}  // namespace key
