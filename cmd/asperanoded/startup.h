// startup: what the node service does once, as root or with what root has prepared, and how it gives up
// its rights.
#pragma once

#include <string>

#include <sys/types.h>

#include "base/fd.h"
#include "config/config.h"
#include "http/node_api.h"

namespace asperanoded {
namespace startup {

// Failure{78} when <enabled> is not true, or when settings contradict each other.
void check_settings(const config::Config& config);
// Failure{78}: iptables or asp-lease is missing. <iptables_path> must be the path that the suite runs.
void check_programs(const config::Node& node);

struct Account {
  uid_t uid;
  gid_t gid;
};
// sallyport-node; Failure{78}.
Account node_account();

// Failure{77} when started neither as root nor as sallyport-node.
void check_account();

// /run/sallyport/asperanoded.pid, which only root writes: init signals the process that it names. It is
// locked as long as the service lives; asperanoded.ready beside it, as soon as the service is ready.
void make_pid_file();
// Failure{75}: one runs already. Failure{71}: nobody has made it.
Fd take_pid_file();
void write_pid();
Fd tell_ready();

// /run/sallyport/node_tls: certificate and key, for the account of the service.
void write_tls(const node_api::Tls& tls, const Account& account);
node_api::Tls read_tls();

// Sets the limit on descriptors that connections need; environment, umask, directory.
void prepare_process();
// Becomes `account`, if it is root, without any capability and for good. Failure{71}.
void drop_rights(const Account& account);

// Tells systemd, if it started us with Type=notify (sd_notify(3)); `socket` is NOTIFY_SOCKET.
void notify(const std::string& socket, const std::string& state);

}  // namespace startup
}  // namespace asperanoded
