#!/bin/bash
# A client behind a router that rewrites its ports.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz router natclient outside inside1
on natclient -u bear bash -c 'head -c 3M /dev/urandom > f'
for family in 4 6; do
  lab_family $family
  proxy_allow cat
  lab_capture dmz wan "udp and src $ROUTER and dst $SQUASH" "$TMPDIR/wire"
  status 0 "a transfer from behind a port-rewriting NAT works with filtering on, first try" \
    on natclient -u bear asp-cp -P 33001 f "bear@$SQUASH_AT:/tmp/f$family"
  lab_capture_end
  is "$(on inside1 sha256sum < "$(lab_root inside1)/tmp/f$family")" "$(on natclient sha256sum < "$(lab_root natclient)/home/bear/f")" "and arrives whole"
  wire=$(sed -n "s/.* $(literally "$ROUTER")\.\([0-9]*\) > .*/\1/p" "$TMPDIR/wire" | head -1)
  like "$(lab_log dmz | grep 'Setup UDP')" "between $(literally "$ROUTER_AT"):$wire and" "pinned to the port on the wire, as the router wrote it"
  like "$(lab_log dmz)" "Received connection request from $ROUTER" "(the client is known by the router's address)"
done

done_testing
