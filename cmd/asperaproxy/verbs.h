// verbs: what asperaproxy can be told to do. Each answers on stdout and returns
// the exit status.
#pragma once

namespace asperaproxy {

// The service. stop ends every session and takes all rules away; start undoes
// that, and gets kernel and firewall ready; reload checks the configuration, and
// puts back what is missing. Failure{71}; {78} when aspera.conf is wrong.
int start();
int stop();
int restart();
int reload();

// From now on, or no longer, sessions are refused with a temporary status;
// those that live go on. Either is no error when it is so already.
int drain();
int undrain();

// How things are, as a record; tool::no when living sessions lack what they need.
int status();

}  // namespace asperaproxy
