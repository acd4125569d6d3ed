#!/bin/bash
# One client, or who forges its address, opens flows without end through its pinhole: the
# kernel's table of flows is not theirs alone. Whichever firewall forwards the session.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside outside2 inside1
flows=$LAB_LIB/flows.py
# A client of another network, since those of one IPv6 network count as one.
on outside2 sh -e -c "ip addr add 2001:db8:9::11/64 dev wan nodad; ip addr del $OUTSIDE2_6/64 dev wan; ip route add 2001:db8:1::/64 dev wan"
on dmz ip route add 2001:db8:9::/64 dev wan

configure() {  # bound
  proxy_allow cat
  on dmz sed -i "s|<server>|&<max_flows_per_client>$1</max_flows_per_client>|; s|<host>|<src_port_filtering>false</src_port_filtering>&|" \
    "$LAB_PREFIX/etc/aspera.conf"
  on dmz "$LAB_PREFIX/bin/asperaproxy" reload > /dev/null
}
flood() { read -r answered seconds <<< "$(on outside python3 "$flows" "$SQUASH" 33001 "$1")"; }
tracked() { proxy_flows | grep -c "src=$1 dst=$SQUASH "; }
passes() {  # host text
  on "$1" timeout 5 python3 "$LAB_LIB/udp.py" send "$ANY_AT:5001" "$SQUASH_AT:33001" "$2" --wait-reply 2 | grep -q "$2"
}

on dmz "$LAB_PREFIX/bin/asperaproxy" start > /dev/null
for family in 4 6; do
  lab_family $family
  lab_udp inside1 echo "$INSIDE1_AT:33001" "$TMPDIR/echo$family"
  for LAB_FORWARDING in iptables nftables; do
    tap_about="IPv$family, $LAB_FORWARDING: "
    configure 20
    proxy_session one outside bear "$SQUASH" cat
    ok '(the UDP of a session passes)' passes outside begins
    flood 150
    is "$answered $(tracked "$OUTSIDE")" '19 20' 'its client opens 150 flows more, and has 20 in all'
    ok 'the one that it began with goes on' passes outside continues
    proxy_session two outside2 bobcat "$SQUASH" cat
    ok 'and another client has its own' passes outside2 other
    proxy_end two
    proxy_end one
    is "$(proxy_flows)" '' 'nothing is left after the session'
    proxy_session again outside bear "$SQUASH" cat
    flood 150
    is "$answered" 20 'and the next has as many again'
    proxy_end again
  done

  tap_about="IPv$family: " LAB_FORWARDING=$([ $family = 4 ] || echo nftables)
  # Before the rule is narrowed, too, and by who forges the client's address: asp-pinhole is stopped.
  proxy_allow cat
  proxy_session narrow outside bear "$SQUASH" cat
  stopped=$(lab_pids dmz asp-pinhole)
  kill -STOP $stopped
  flood 150
  is "$answered $(tracked "$OUTSIDE")" '20 20' 'with source port filtering, before it has been done'
  kill -CONT $stopped
  proxy_end narrow
  is "$(proxy_flows)" '' 'nothing is left of that either'

  # However fast they come, and with a larger bound.
  configure 5000
  proxy_session fast outside bear "$SQUASH" cat
  flood 2000
  most=$(awk -v seconds="$seconds" 'BEGIN { printf "%d", 200 + 100 * (seconds + 1) }')
  ok "no more than 200 at once, and 100 a second: $answered of 2000 in $seconds s" test "$answered" -le "$most"
  proxy_end fast

  configure 0
  proxy_session unbound outside bear "$SQUASH" cat
  flood 600
  is "$answered" 600 'without a bound the client has all'
  proxy_end unbound
  kill "$LAB_UDP"
  wait "$LAB_UDP"
done
done_testing
