// The table itself; see config/schema.h.
#include "config/schema.h"

#include "base/paths.h"

namespace config::schema {
namespace {

using enum Value;

constexpr Option kHost{.name = "host", .value = host, .meaning = "internal server and its SSH port (22 if absent)"};

constexpr Option kHosts[] = {
    {.name = "host", .value = host, .meaning = "one of the internal servers", .traits = repeats | explicit_},
};

constexpr Option kRuleAttributes[] = {
    {.name = "host_ip", .value = network, .meaning = "address, or addresses, of the proxy"},
    {.name = "host_domain", .value = domain, .meaning = "name by which the client called the proxy"},
};

constexpr Option kRule[] = {
    kHost,
    {.name = "hosts", .meaning = "several of them, instead of <host>", .children = kHosts},
    {.name = "balancing",
     .value = word,
     .standard = "round_robin",
     .meaning = "how sessions are spread over <hosts>",
     .words = "round_robin"},
    {.name = "squash_user", .value = account, .meaning = "account on the internal server; absent: the user's own name"},
    {.name = "keyfile", .value = key_path, .meaning = "private key for the internal server"},
    {.name = "proxy_port",
     .value = number,
     .standard = "33001",
     .meaning = "UDP port on the proxy; 0: that of the internal server",
     .low = 0,
     .high = 65535},
    {.name = "src_port_filtering",
     .value = boolean,
     .standard = "true",
     .meaning = "let in only the UDP port of the session's first packet",
     .alias = "source_port_filtering"},
    {.name = "udp_port_reuse",
     .value = boolean,
     .standard = "true",
     .meaning = "false: each transfer has a UDP port of its own inside"},
    {.name = "bind_source_address", .value = address, .meaning = "the proxy's address towards the inside"},
    {.name = "forwarding_type",
     .value = word,
     .standard = "iptables",
     .meaning = "which firewall forwards",
     .words = "iptables|nftables"},
    {.name = "udp_port",
     .value = port,
     .meaning = "UDP port on the internal server; absent: <proxy_port>",
     .traits = addition},
    {.name = "udp_port_range",
     .value = port_range,
     .standard = "33001:33100",
     .meaning = "UDP ports when each transfer has its own",
     .traits = addition},
    {.name = "udp_linger",
     .value = number,
     .standard = "0",
     .meaning = "seconds of silence that UDP outlives SSH",
     .traits = addition,
     .low = 0,
     .high = 86400},
    {.name = "udp_linger_limit",
     .value = number,
     .standard = "604800",
     .meaning = "seconds that UDP outlives SSH at most, silent or not",
     .traits = addition,
     .low = 1,
     .high = 2592000},
    {.name = "users", .value = names, .meaning = "who may use the rule; absent: all", .traits = addition | explicit_},
    {.name = "groups",
     .value = names,
     .meaning = "whose members may use the rule; absent: all",
     .traits = addition | explicit_},
    {.name = "faulty_interval",
     .value = number,
     .standard = "120",
     .meaning = "seconds that a failed host is passed over",
     .traits = addition,
     .low = 1,
     .high = 86400},
    {.name = "connect_timeout",
     .value = number,
     .standard = "10",
     .meaning = "seconds for the connection to one host",
     .traits = addition,
     .low = 1,
     .high = 86400},
    {.name = "max_sessions",
     .value = number,
     .standard = "0",
     .meaning = "sessions at a time; 0: no limit",
     .traits = addition,
     .low = 0,
     .high = 1000000},
    {.name = "upstream_reuse",
     .value = boolean,
     .standard = "false",
     .meaning = "keep the connection inside for the user's next session",
     .traits = addition},
    {.name = "old_algorithms",
     .value = boolean,
     .standard = "false",
     .meaning = "also SHA-1 and CBC, for servers that know nothing else",
     .traits = addition},
};

constexpr Option kRules[] = {
    {.name = "rule",
     .meaning = "the first that matches is used",
     .traits = repeats,
     .children = kRule,
     .attributes = kRuleAttributes},
};

constexpr Option kRproxy[] = {
    {.name = "enabled", .value = boolean, .standard = "false", .meaning = "reverse proxy on"},
    {.name = "log_level",
     .value = number,
     .standard = "0",
     .meaning = "0: connections; 1 and 2 add debug lines",
     .traits = lenient,
     .low = 0,
     .high = 2},
    {.name = "log_directory", .value = path, .meaning = "where ascp_rproxy.log is; absent: syslog"},
    {.name = "known_hosts",
     .value = path,
     .standard = paths::kKnownHosts,
     .meaning = "host keys of the internal servers",
     .traits = addition},
    {.name = "max_sessions",
     .value = number,
     .standard = "0",
     .meaning = "sessions at a time; 0: no limit",
     .traits = addition,
     .low = 0,
     .high = 1000000},
    {.name = "max_sessions_per_user",
     .value = number,
     .standard = "0",
     .meaning = "sessions of one user at a time; 0: half of <max_sessions>",
     .traits = addition,
     .low = 0,
     .high = 1000000},
    {.name = "iptables_sessions",
     .value = number,
     .standard = "16",
     .meaning = "sessions of an address family that iptables forwards; nftables has the others",
     .traits = addition,
     .low = 1,
     .high = 1000000},
    {.name = "rules", .children = kRules},
};

constexpr Option kProxy[] = {
    {.name = "enabled", .value = boolean, .standard = "false", .meaning = "forward proxy on"},
    {.name = "authentication", .value = boolean, .standard = "true", .meaning = "a node API user is needed"},
    {.name = "bind_ip_address", .value = address, .standard = "0.0.0.0", .meaning = "address to listen on"},
    {.name = "bind_ip_netmask", .value = netmask, .meaning = "netmask of that address"},
    {.name = "port_range_low", .value = port, .standard = "5000", .meaning = "first port to lease"},
    {.name = "port_range_high", .value = port, .standard = "10000", .meaning = "last port to lease"},
    {.name = "cleanup_interval",
     .value = number,
     .standard = "0",
     .meaning = "seconds between clearings of expired leases; 0: every minute",
     .low = 0,
     .high = 86400},
    {.name = "keepalive_interval",
     .value = number,
     .standard = "0",
     .meaning = "seconds between renewals",
     .low = 0,
     .high = 86400},
    {.name = "session_timeout",
     .value = number,
     .standard = "0",
     .meaning = "seconds that a lease lives without one",
     .low = 0,
     .high = 86400},
    {.name = "allowed_destinations",
     .value = destinations,
     .meaning = "where users may go; absent: anywhere outside",
     .traits = addition},
    {.name = "denied_destinations", .value = destinations, .meaning = "where they may not", .traits = addition},
    {.name = "max_leases_per_user",
     .value = number,
     .standard = "0",
     .meaning = "leases at a time; 0: no limit",
     .traits = addition,
     .low = 0,
     .high = 1000000},
};

constexpr Option kNodeAttributes[] = {
    {.name = "name", .value = host_name, .meaning = "its host name, as uname -n prints it", .traits = addition},
};
constexpr Option kNodes[] = {
    {.name = "node",
     .value = address,
     .meaning = "a host of the cluster: its address on the sync network",
     .traits = repeats | explicit_ | addition,
     .attributes = kNodeAttributes},
};
constexpr Option kCluster[] = {
    {.name = "enabled",
     .value = boolean,
     .standard = "false",
     .meaning = "this host is one of several",
     .traits = addition},
    {.name = "nodes", .meaning = "all of them, this one too; the first is master first", .children = kNodes},
    {.name = "outside_interface", .value = interface, .meaning = "where the outside is", .traits = addition},
    {.name = "outside_addresses",
     .value = own_addresses,
     .meaning = "the master's addresses there",
     .traits = addition},
    {.name = "inside_interface", .value = interface, .meaning = "where the internal servers are", .traits = addition},
    {.name = "inside_addresses", .value = own_addresses, .meaning = "the master's addresses there", .traits = addition},
    {.name = "sync_interface",
     .value = interface,
     .meaning = "where the hosts of the cluster meet",
     .traits = addition},
    {.name = "router_id",
     .value = number,
     .standard = "51",
     .meaning = "number of the cluster in VRRP; the inside has the next",
     .traits = addition,
     .low = 1,
     .high = 254},
    {.name = "advertisement_interval",
     .value = number,
     .standard = "100",
     .meaning = "milliseconds between signs of life",
     .traits = addition,
     .low = 20,
     .high = 10000},
    {.name = "redis", .value = endpoints, .meaning = "all Redis servers of the cluster", .traits = addition},
    {.name = "sentinels",
     .value = endpoints,
     .meaning = "all Sentinels, who know which of them is master",
     .traits = addition},
    {.name = "redis_password_file", .value = path, .meaning = "the password for both", .traits = addition},
};

constexpr Option kServer[] = {
    {.name = "http_port", .value = port, .standard = "9091", .meaning = "node API without TLS"},
    {.name = "https_port", .value = port, .standard = "9092", .meaning = "node API with TLS"},
    {.name = "enable_http", .value = boolean, .standard = "false", .meaning = "serve it without TLS"},
    {.name = "enable_https", .value = boolean, .standard = "true", .meaning = "serve it with TLS"},
    {.name = "listen", .value = listen, .meaning = "instead of the four above"},
    {.name = "cert_file", .value = path, .meaning = "certificate of the node API"},
    {.name = "key_file", .value = path, .meaning = "its private key"},
    {.name = "chain_file", .value = path, .meaning = "certificates of the chain to its authority"},
    {.name = "iptables_path", .value = path, .meaning = "where iptables is, if not in the usual place"},
    {.name = "border",
     .value = boolean,
     .standard = "true",
     .meaning = "let nothing but sessions and leases through",
     .traits = addition},
    {.name = "max_flows_per_client",
     .value = number,
     .standard = "512",
     .meaning =
         "UDP flows and connections of one client at a time, through all of its sessions and leases; 0: no limit",
     .traits = addition,
     .low = 0,
     .high = 1000000},
    {.name = "rproxy", .meaning = "reverse proxy", .children = kRproxy},
    {.name = "proxy", .meaning = "forward proxy", .children = kProxy},
    {.name = "cluster", .meaning = "several proxy hosts", .children = kCluster},
};

// Options that other products share with us: for asp-check.sh, and for the guide's chapter on Faspex
// and Shares.
constexpr Option kPath[] = {
    {.name = "absolute",
     .value = docroot,
     .meaning = "docroot; $(user), $(name): the user, $(home) in front: the home directory",
     .item = "absolute"},
    {.name = "read_allowed", .value = boolean, .meaning = "downloads", .traits = lenient, .item = "read_allowed"},
    {.name = "write_allowed", .value = boolean, .meaning = "uploads", .traits = lenient, .item = "write_allowed"},
    {.name = "dir_allowed", .value = boolean, .meaning = "browsing", .traits = lenient, .item = "dir_allowed"},
};
constexpr Option kPaths[] = {{.name = "path", .traits = repeats | foreign, .children = kPath}};
constexpr Option kAccess[] = {
    {.name = "paths", .traits = foreign, .children = kPaths},
    {.name = "role",
     .value = word,
     .meaning = "node: serve the account here, in its docroot; proxy: inside; absent: node, if <rproxy> is off",
     .traits = addition,
     .words = "node|proxy",
     .item = "role"},
    {.name = "confinement",
     .value = word,
     .standard = "required",
     .meaning = "whether a kernel without Landlock may serve it here",
     .traits = addition,
     .words = "required|if_possible",
     .item = "confinement"},
};
constexpr Option kFileSystem[] = {{.name = "access", .traits = foreign, .children = kAccess}};
constexpr Option kIn[] = {{.name = "value",
                           .value = word,
                           .standard = "allow",
                           .meaning = "uploads: whether a token is needed",
                           .traits = lenient,
                           .words = "allow|deny|token"}};
constexpr Option kOut[] = {{.name = "value",
                            .value = word,
                            .standard = "allow",
                            .meaning = "downloads: whether a token is needed",
                            .traits = lenient,
                            .words = "allow|deny|token"}};
constexpr Option kTransfer[] = {
    {.name = "in", .traits = foreign, .children = kIn},
    {.name = "out", .traits = foreign, .children = kOut},
};
constexpr Option kToken[] = {
    {.name = "encryption_key", .value = secret, .meaning = "key of the tokens", .item = "token_encryption_key"},
};
constexpr Option kAuthorization[] = {
    {.name = "transfer", .traits = foreign, .children = kTransfer},
    {.name = "token", .traits = foreign, .children = kToken},
};

constexpr Option kCommandAttributes[] = {
    {.name = "udp",
     .value = boolean,
     .standard = "true",
     .meaning = "whether the command uses UDP",
     .traits = addition},
};
constexpr Option kCommands[] = {
    {.name = "command",
     .value = command,
     .meaning = "a further command line that aspshell accepts",
     .traits = repeats | explicit_,
     .attributes = kCommandAttributes},
};

constexpr Option kAuthorizationSection{.name = "authorization", .traits = foreign, .children = kAuthorization};
constexpr Option kFileSystemSection{.name = "file_system", .traits = foreign, .children = kFileSystem};
constexpr Option kName{.name = "name", .value = text, .meaning = "which account", .traits = identity};

constexpr Option kAccount[] = {kName, kAuthorizationSection, kFileSystemSection};
constexpr Option kUsers[] = {{.name = "user", .traits = repeats | foreign, .children = kAccount}};
constexpr Option kGroups[] = {{.name = "group", .traits = repeats | foreign, .children = kAccount}};
constexpr Option kRealm[] = {
    {.name = "users", .traits = foreign, .children = kUsers},
    {.name = "groups", .traits = foreign, .children = kGroups},
};
constexpr Option kRealms[] = {{.name = "realm", .traits = repeats | foreign, .children = kRealm}};
constexpr Option kAaa[] = {{.name = "realms", .traits = foreign, .children = kRealms}};

constexpr Option kDefault[] = {
    kAuthorizationSection,
    kFileSystemSection,
    {.name = "aspshell_commands", .meaning = "beside those that are built in", .children = kCommands},
};

constexpr Option kSections[] = {
    {.name = "server", .meaning = "this host", .traits = foreign, .children = kServer},
    {.name = "default", .meaning = "all accounts", .traits = foreign, .children = kDefault},
    {.name = "aaa", .meaning = "single accounts and groups", .traits = foreign, .children = kAaa},
};

constexpr Option kRoot{.name = "CONF", .traits = foreign, .alias = "conf", .children = kSections};

}  // namespace

const Option& root() { return kRoot; }

}  // namespace config::schema
