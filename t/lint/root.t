#!/bin/bash
# What runs as root: the modules of lib that each of these programs may contain, as a list
# that somebody has looked through. A program contains a module that it, or a module in it,
# includes. One more, or one less, is to be seen in the table, too.
#
# No program with rights parses what the network says: Redis is spoken by asp-redis, SSH by
# asp-dial, and names are resolved by getent, all without rights.
. "${0%/*}/../lib/tap.sh"
cd "${0%/*}/../.." || exit 1

# Each program with its modules, a line or more for a folder of lib; "all" are in each of them:
# aspera.conf, the log, records, /run/sallyport, and other programs. Beside these
#
#   asp-pinhole   verifies who calls, finds the rule, and lays it
#   asp-upstream  verifies who calls, finds the rule, and takes the next server
#   asp-lease     verifies who calls, knows the users of the node API (no password), and has leases
#   asp-reap      compares all that is on record with the firewall
#   asperaproxy   does the same; check also asks the helpers as a session does (session/privileged,
#                 dialer, holder), tries the keys (ssh/upstream_key: libssh reads them, as their
#                 user), and reads known_hosts. It knows names of internal servers as asp-match does.
table='
all:
  base     accounts address alarm await child cut deadline decimal env failure fd io log_file log_socket logging netlink
  base     paths pidfd record root_only tool unix_socket uuid wall_clock
  config   config destination forwarding schema value xml
  session  route session spool
asp-pinhole:
  base     confine confine_phases privilege process signals status
  kernel   connmark conntrack conntrack_dump nft nft_listing
  config   log_place
  who      caller
  session  request rules trial
  firewall backend firewall flows iptables nft_text nftables text
asp-upstream:
  base     aside confine confine_phases boot_clock passing privilege process signals status
  ssh      upstream_command
  config   log_place
  who      caller command_line
  cluster  node_name redis redis_away redis_message redis_password redis_reply
  session  dial_program keepers keyfile request rules trial
  balance  balance blame marks order shared statement types
asp-lease:
  base     aside boot_clock confine confine_phases passing privilege resolve signals status whole_file
  kernel   connmark conntrack conntrack_dump nft nft_listing own_addresses
  config   destination_policy log_place node_users
  cluster  node_name redis redis_message redis_password redis_reply
  session  trial
  firewall backend iptables text
  lease    addresses admission base flows lease life local lock open peering reap registry role rules
  lease    scripts shared store text
asp-reap:
  base     aside confine confine_phases boot_clock options process whole_file
  kernel   connmark conntrack conntrack_dump nft nft_listing own_addresses
  config   destination_policy node_users
  who      caller
  cluster  node_name redis redis_away redis_message redis_password redis_reply
  session  ending keepers
  firewall backend border firewall flows iptables nft_text nftables reap text
  balance  balance blame marks order shared statement types
  lease    addresses admission base flows lease life local lock open peering reap registry role rules
  lease    scripts shared store text
asperaproxy:
  base     aside base64 boot_clock confine options passing process resolve signals status whole_file
  kernel   connmark conntrack conntrack_dump nft nft_listing own_addresses routes
  ssh      known_hosts upstream_command upstream_host_key upstream_key
  config   destination_policy editing node_users
  who      authorized_keys file_access proxy_account
  cluster  node_name redis redis_away redis_message redis_password redis_reply
  session  dial_program dialer ending holder keepers keyfile privileged request rules trial
  firewall backend border firewall flows iptables nft_text nftables reap text
  balance  balance blame marks order shared statement types
  lease    addresses admission base flows lease life local lock open peering reap registry role rules
  lease    scripts shared store text
'
programs=$(sed -n 's/^\(asp.*\):$/\1/p' <<< "$table")

# listed PROGRAM: its modules by the table, one a line.
listed() {
  awk -v program="$1" '
    /:$/ { on = $1 == program ":" || $1 == "all:"; next }
    on { for (i = 2; i <= NF; ++i) print $1 "/" $i }' <<< "$table" | sort
}

# contained PROGRAM: its modules by the source.
contained() {
  local found more
  found=$(modules_of "cmd/$1"/*.cc "cmd/$1"/*.h)
  # shellcheck disable=SC2046  # a list
  while more=$(printf '%s\n' "$found" "$(modules_of $(sources_of "$found"))" | grep . | sort -u) && [ "$more" != "$found" ]; do found=$more; done
  echo "$found"
}
modules_of() { cat "$@" 2> /dev/null | sed -nE 's/^#include "([^"]*\/[^"]*)\.h".*/\1/p' | sort -u; }
# shellcheck disable=SC2046  # a list
sources_of() { printf 'lib/%s.h lib/%s.cc ' $(sed 'p' <<< "$1"); }

network='(getaddrinfo|gethostby|getnameinfo|res_n?(query|search|send))[a-z_]*\('
foreign='(getaddrinfo|gethostby|getnameinfo|res_n?(query|search|send)|ssh_connect|curl_|MHD_)[a-z_]*'
for program in $programs; do
  contained=$(contained "$program")
  is "$(comm -23 <(echo "$contained") <(listed "$program"))" '' "$program contains no module that the table does not give it"
  is "$(comm -13 <(echo "$contained") <(listed "$program"))" '' "and all that it does"
  # shellcheck disable=SC2046,SC2086  # lists
  is "$(cat $(sources_of "$contained") cmd/$program/* 2> /dev/null | sed 's|//.*||' | grep -E "$network")" '' 'and resolves no name'
  if [ -x "${BUILD:-build}/bin/$program" ]; then
    is "$(nm -D --undefined-only "${BUILD:-build}/bin/$program" | grep -oE "$foreign")" '' 'nor does a library in it, or speak SSH or HTTP'
  else
    skip 'it is not built' 'nor does a library in it, or speak SSH or HTTP'
  fi
done
done_testing
