#!/bin/bash
# Servers that take a UDP port of their own for each transfer: proxy_port 0,
# and udp_port_reuse false, keep the ports.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside inside1
udp=$LAB_LIB/udp.py
arrived() { grep -q " $2\$" "$TMPDIR/$1"; }
send() { on outside python3 "$udp" send "$ANY_AT:$1" "$SQUASH_AT:$2" "$3" > /dev/null; }
configure() {
  proxy_allow cat
  on dmz sed -i "s|<host>|$1&|" "$LAB_PREFIX/etc/aspera.conf"
}

for family in 4 6; do
  lab_family $family
  receivers=()
  for port in 33001 33005 33006 33100 33101; do
    lab_udp inside1 echo "$INSIDE1_AT:$port" "$TMPDIR/$port"
    receivers+=("$LAB_UDP")
  done

  for way in '<proxy_port>0</proxy_port>' '<udp_port_reuse>false</udp_port_reuse>'; do
    configure "$way<udp_port_range>33001:33100</udp_port_range>"
    proxy_session one outside bear "$SQUASH" cat
    like "$(proxy_rule_lines)" "$(proxy_pattern "$OUTSIDE" "$SQUASH" 33001:33100 "$INSIDE1")" "$way: one rule covers the range"
    send 5001 33101 "beyond $way"
    send 5001 33005 "first $way"
    ok "a packet arrives at the port that it was sent to" wait_until 5 arrived 33005 "first $way"
    ok "the rule is pinned to the source and the destination port" wait_until 5 proxy_pinned 5001 33005
    send 5001 33006 "other $way"
    send 5002 33005 "source $way"
    send 5001 33005 "second $way"
    ok "the flow goes on" wait_until 5 arrived 33005 "second $way"
    nok "another port of the range is closed now" arrived 33006 "other $way"
    nok "and to another source port, too" arrived 33005 "source $way"
    nok "a port beyond the range never was open" arrived 33101 "beyond $way"

    proxy_session two outside bear "$SQUASH" cat
    send 5003 33006 "two $way"
    ok "a second session of the same client uses the next port" wait_until 5 arrived 33006 "two $way"
    proxy_end one
    send 5003 33006 "still $way"
    ok "and goes on when the first ends" wait_until 5 arrived 33006 "still $way"
    proxy_end two
    is "$(proxy_rules)$(proxy_flows)" 0 "nothing is left"
  done

  configure '<src_port_filtering>false</src_port_filtering><proxy_port>0</proxy_port>'
  proxy_session loose outside bear "$SQUASH" cat
  send 5004 33001 loose1
  send 5005 33100 loose2
  ok "without filtering every port of the range stays open" wait_until 5 arrived 33001 loose1
  ok "(the last one, too)" wait_until 5 arrived 33100 loose2
  proxy_end loose
  is "$(proxy_rules)$(proxy_flows)" 0 "nothing is left"
  kill "${receivers[@]}"
  wait "${receivers[@]}"
done

done_testing
