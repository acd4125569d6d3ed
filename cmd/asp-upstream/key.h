// key: the private key of a session, read for a user who may not read it.
#pragma once

#include <string>

#include "session/route.h"
#include "who/caller.h"

namespace key {

struct File {
  std::string text;
  std::string identity;  // which file it was, and in which state; session/keepers.h
};

// The route's key file. One that the user himself can read is read
// with his rights, so that no link of his leads anywhere else. Any other must
// lie on a path that has not been made from his name, and belong to root; root
// alone must be able to write to it and to the directories on the path, or
// somebody's link could lead to any key of root's. Failure{78}.
File read(const Route& route, const Caller& caller);

}  // namespace key
