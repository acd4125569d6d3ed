// arguments: the command line of asp-forward, checked before any request is made.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "api.h"
#include "http/node_client.h"
#include "proxy_url.h"

namespace forward {

constexpr char kUsage[] =
    "asp-forward [-q] [--proxy dnats://[user@]host[:port]] [--ca file | --fingerprint SHA256] [--password-file file] "
    "[--timeout seconds] form\n"
    "  form: --to host [--ssh-port port] [--udp-port port[:port]] -- command [word ...]\n"
    "        --to host [--ssh-port port] [--udp-port port[:port]] {-W | --print [--json]}\n"
    "        --renew lease [--json]\n"
    "        --release lease\n"
    "        --forget host[:port]\n"
    "  What stays the same can be set in ~/.asp-forward/settings and /etc/asp-forward.conf.";

enum class Mode { run, print, pass_through, renew, release, forget };

struct Asked {
  Mode mode = Mode::run;
  ProxyUrl proxy;
  std::string password_file;
  node_client::Trust trust;
  bool remembered = false;  // the fingerprint is from known_proxies
  bool may_ask = false;     // nothing says which certificate is right, so a person may
  HostPort forgotten;       // forget
  std::chrono::seconds patience{15};
  Wanted wanted;                   // run, print, pass_through
  std::string lease;               // renew, release
  std::string program;             // run: its path
  std::vector<std::string> words;  // run: with %h and the like
  bool json = false;
  bool quiet = false;

  // Failure{64}; {71} when there is no such program, {78} when the file of
  // authorities or one of settings cannot be used. Passwords in `argv` are overwritten.
  static Asked parse(int argc, char** argv);
};

}  // namespace forward
