// session/keyfile: reads the private key of a session for a user who may not read it. For programs of root's.
#pragma once

#include <sys/types.h>

#include <string>

#include "session/route.h"

namespace session::keyfile {

struct File {
  std::string text;
  std::string identity;  // the file and its version; session/keepers.h
};

// Reads the route's key file. A file that the user can read is read with the user's rights, so that a
// link of theirs leads nowhere else. Any other file must be on a path that does not depend on the
// user's name, and belong to root. Only root may be able to write to it and to the directories on the
// path; otherwise somebody's link could lead to any key of root's. Failure{78}.
File read(const Route& route, const std::string& user, uid_t uid);

}  // namespace session::keyfile
