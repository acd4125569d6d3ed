#!/bin/bash
# A client behind a router that rewrites its ports.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz router natclient outside inside1
proxy_allow cat
on natclient -u bear bash -c 'head -c 3M /dev/urandom > f'
lab_capture dmz wan "udp and src $ROUTER" "$TMPDIR/wire"
status 0 "a transfer from behind a port-rewriting NAT works with filtering on, first try" \
  on natclient -u bear asp-cp -P 33001 f "bear@$SQUASH:/tmp/f"
lab_capture_end
is "$(on inside1 sha256sum < "$(lab_root inside1)/tmp/f")" "$(on natclient sha256sum < "$(lab_root natclient)/home/bear/f")" "and arrives whole"
wire=$(awk 'match($0, /198\.51\.100\.20\.[0-9]+ >/) { split(substr($0, RSTART, RLENGTH), part, /[. ]/); print part[5]; exit }' "$TMPDIR/wire")
like "$(lab_log dmz | grep 'Setup UDP')" "between $ROUTER:$wire and" "pinned to the port on the wire, as the router wrote it"
like "$(lab_log dmz)" "Received connection request from $ROUTER" "(the client is known by the router's address)"
done_testing
