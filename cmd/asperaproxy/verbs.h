// verbs: what asperaproxy can be told to do. Each answers on stdout and returns
// the exit status.
#pragma once

namespace asperaproxy {

// From now on, or no longer, sessions are refused with a temporary status;
// those that live go on. Either is no error when it is so already.
int drain();
int undrain();

// How things are, as a record; tool::no when living sessions lack what they need.
int status();

}  // namespace asperaproxy
