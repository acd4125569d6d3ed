// startup: what the node service does as root, once, and how it ceases to be root.
#pragma once

#include <string>

#include <sys/types.h>

#include "base/fd.h"
#include "config/config.h"

namespace asperanoded {
namespace startup {

// Failure{78} when <enabled> is not true, or when settings contradict each other.
void check_settings(const config::Config& config);
// Failure{78}: iptables, nft or sudo are not there. What <iptables_path> says
// has to be what the suite runs.
void check_programs(const config::Node& node);

struct Account {
  uid_t uid;
  gid_t gid;
};
// sallyport-node; Failure{78}.
Account node_account();

// /run/sallyport/asperanoded.pid: locked as long as the service lives, and with
// its number in it once it is ready. Failure{75}: one runs already.
Fd take_pid_file();
void write_pid(const Fd& file);
void erase_pid(const Fd& file);

// As many descriptors as connections need; environment, umask, directory.
void prepare_process();
// For good. Failure{71}.
void drop_root(const Account& account);

// Tells systemd, if it started us with Type=notify (sd_notify(3)); `socket` is NOTIFY_SOCKET.
void notify(const std::string& socket, const std::string& state);

}  // namespace startup
}  // namespace asperanoded
