// base/paths: where the suite finds its own parts. The paths are compiled in, so that no environment
// can lead a tool, least of all a privileged one, elsewhere.
#pragma once

#include <string>

#ifndef SALLYPORT_PREFIX
#define SALLYPORT_PREFIX "/opt/aspera/proxy"
#endif

namespace paths {

constexpr char kPrefix[] = SALLYPORT_PREFIX;
constexpr char kConfig[] = SALLYPORT_PREFIX "/etc/aspera.conf";
constexpr char kKnownHosts[] = SALLYPORT_PREFIX "/etc/known_hosts";
constexpr char kNodeUsers[] = SALLYPORT_PREFIX "/etc/node_users.conf";
constexpr char kBin[] = SALLYPORT_PREFIX "/bin/";
constexpr char kLibexec[] = SALLYPORT_PREFIX "/libexec/";

constexpr char kShell[] = "/bin/aspshell";  // links to kBin "aspshell"

// The account that speaks SSH to internal servers, with keys of other accounts, and speaks with Redis.
constexpr char kDialAccount[] = "sallyport-dial";

// The account of the node service.
constexpr char kNodeAccount[] = "sallyport-node";

constexpr char kRun[] = "/run/sallyport";
constexpr char kSessions[] = "/run/sallyport/sessions";

// Where the node service asks asp-lease for leases.
constexpr char kLeaseSocket[] = "/run/sallyport/lease.sock";
// Locked by the asp-lease that holds that socket itself, and has its number.
constexpr char kLeaseDoor[] = "/run/sallyport/asp-lease.pid";

constexpr char kSudo[] = "/usr/bin/sudo";

constexpr char kGroup[] = "sallyport";  // of the proxy's users

}  // namespace paths
