// startup: what the node service does once as root, and how it stops being root.
#pragma once

#include <string>

#include <sys/types.h>

#include "base/fd.h"
#include "config/config.h"

namespace asperanoded {
namespace startup {

// Failure{78} when <enabled> is not true, or when settings contradict each other.
void check_settings(const config::Config& config);
// Failure{78}: iptables, nft or sudo is missing. <iptables_path> must be the path that the suite runs.
void check_programs(const config::Node& node);

struct Account {
  uid_t uid;
  gid_t gid;
};
// sallyport-node; Failure{78}.
Account node_account();

// /run/sallyport/asperanoded.pid. It is locked as long as the service lives, and has its process
// number once it is ready. Failure{75}: one runs already.
Fd take_pid_file();
void write_pid(const Fd& file);
void erase_pid(const Fd& file);

// Sets the limit on descriptors that connections need; environment, umask, directory.
void prepare_process();
// Irreversible. Failure{71}.
void drop_root(const Account& account);

// Tells systemd, if it started us with Type=notify (sd_notify(3)); `socket` is NOTIFY_SOCKET.
void notify(const std::string& socket, const std::string& state);

}  // namespace startup
}  // namespace asperanoded
