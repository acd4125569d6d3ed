#!/bin/bash
# Both firewalls at one proxy: sessions of one client that iptables and nftables
# forward, side by side; and what expires when nobody renews it.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
LAB_FORWARDING=
. "$LAB_LIB/proxy.sh"

lab_up dmz outside inside1 inside2
on dmz "$LAB_PREFIX/bin/asperaproxy" start > /dev/null  # behind the border
key=$LAB_PREFIX/etc/ssh_keys/id_ed25519
reap() { on dmz "$LAB_PREFIX/bin/asp-reap"; }
send() { on outside python3 "$LAB_LIB/udp.py" send "$ANY_AT:$1" "$SQUASH_AT:33001" "$2" > /dev/null; }
arrived() { grep -q " $2\$" "$TMPDIR/received$1"; }
by() {  # iptables|nftables COMMAND...: what proxy.sh says of that firewall
  local LAB_FORWARDING=${1#iptables}
  "${@:2}"
}
both() { echo "$(by iptables proxy_rules) $(by nftables proxy_rules)"; }
both_are() { [ "$(both)" = "$1" ]; }
# Every session on record has its rule, in one or the other; or, as those of
# nftables that want the same, in another's name.
proxy_ready() { [ "$(proxy_open_sessions)" -le "$(($(by iptables proxy_rules) + $(by nftables proxy_rules) + shadowed))" ]; }
shadowed=0
holder_of() {  # user
  on dmz sed -n 's/^holder=//p' "$(on dmz grep -l "^user=$1\$" -r /run/sallyport/sessions)"
}
# bear's sessions are iptables', to inside1; bobcat's nftables', to inside2.
configure() {  # more elements
  lab_config << END
<CONF version="2">
  <server><rproxy><enabled>true</enabled><rules>
    <rule host_ip="$SQUASH"><users>bear</users><host>$INSIDE1_AT:22</host><squash_user>xfer</squash_user><keyfile>$key</keyfile>${1-}</rule>
    <rule host_ip="$SQUASH"><users>bobcat</users><host>$INSIDE2_AT:22</host><squash_user>xfer</squash_user><keyfile>$key</keyfile><forwarding_type>nftables</forwarding_type>${1-}</rule>
  </rules></rproxy></server>
  <default><aspshell_commands><command>cat</command></aspshell_commands></default>
</CONF>
END
}

for family in 4 6; do
  lab_family $family
  configure
  on dmz truncate -s 0 /var/log/syslog
  lab_udp inside1 echo "$INSIDE1_AT:33001" "$TMPDIR/received1"
  servers=("$LAB_UDP")
  lab_udp inside2 echo "$INSIDE2_AT:33001" "$TMPDIR/received2"
  servers+=("$LAB_UDP")

  # Side by side ---------------------------------------------------------------------
  proxy_session bears outside bear "$SQUASH" cat
  send 5001 bear1
  ok 'a session by iptables: its UDP arrives' wait_until 5 arrived 1 bear1
  proxy_session bobcats outside bobcat "$SQUASH" cat
  is "$(both)" '1 1' 'and one by nftables beside it, of the same client and proxy address'
  # The open element must not catch what the rule of iptables is pinned to.
  on dmz conntrack -f "$IP" -D -p udp --orig-src "$OUTSIDE" > /dev/null 2>&1
  send 5001 bear2
  ok "a new flow from the first one's port is still the first one's" wait_until 5 arrived 1 bear2
  send 5002 bobcat1
  ok "another port's is the second's" wait_until 5 arrived 2 bobcat1
  ok 'which is pinned to it' wait_until 5 by nftables proxy_pinned 5002 33001
  proxy_session again outside bear "$SQUASH" cat
  on dmz conntrack -f "$IP" -D -p udp --orig-src "$OUTSIDE" > /dev/null 2>&1
  send 5002 bobcat2
  ok "and the other way round: an open rule of iptables does not catch it" wait_until 5 arrived 2 bobcat2
  is "$(on dmz "$LAB_PREFIX/bin/asp-sessions" --json | python3 -c 'import json, sys; print(*sorted(s["user"] for s in json.load(sys.stdin)))')" 'bear bear bobcat' 'asp-sessions shows them all'
  status 0 'asp-reap has nothing to do' reap
  is "$(both)" '2 1' '(indeed)'
  unlike "$(lab_log dmz | grep asp-reap)" 'Put back|Reaped' 'and did nothing'
  proxy_end again

  # A firewall that was emptied, both of them ------------------------------------------
  on dmz sh -c "nft flush ruleset; $IPTABLES -t nat -F"
  reap
  is "$(both)" '1 1' 'after a flush asp-reap puts back the rules of both'
  on dmz conntrack -f "$IP" -D -p udp --orig-src "$OUTSIDE" > /dev/null 2>&1
  send 5001 bear3
  send 5002 bobcat3
  ok 'each in its own' wait_until 5 arrived 1 bear3
  ok '(and the other)' wait_until 5 arrived 2 bobcat3

  # What nobody renews -------------------------------------------------------------------
  is "$(on dmz nft -j list table inet sallyport | grep -o '"timeout": [0-9]*' | sort -u)" '"timeout": 60' 'an element expires a minute after it was renewed'
  on dmz nft "delete element inet sallyport pinned$LAB_DIGIT { $OUTSIDE . $SQUASH . 5002 . 33001 }"
  reap
  is "$(both)" '1 1' 'one that has is put back by asp-reap while its holder lives'
  like "$(lab_log dmz | grep asp-reap)" 'Put back' '(indeed)'
  proxy_end bears
  proxy_end bobcats
  ok 'both end' wait_until 5 both_are '0 0'

  # Several that want the same -------------------------------------------------------------
  configure '<src_port_filtering>false</src_port_filtering>'
  proxy_session first outside bobcat "$SQUASH" cat
  send 5003 first1
  ok '(a session that stays open to all ports)' wait_until 5 arrived 2 first1
  shadowed=1
  proxy_session second outside bobcat "$SQUASH" cat
  is "$(both)" '0 1' 'a second one that wants the same packets: there is one element'
  like "$(on dmz "$LAB_PREFIX/bin/asperaproxy" check)" $'\nok    rules: nftables: present' 'nobody misses one'
  status 0 'asp-reap has nothing to do' reap
  is "$(both)" '0 1' '(indeed)'
  send 5004 second1
  ok 'whose packets arrive' wait_until 5 arrived 2 second1
  proxy_end first
  is "$(both)" '0 1' 'the first ends: the second has the element'
  send 5005 second2
  ok 'and its packets arrive' wait_until 5 arrived 2 second2
  proxy_session third outside bobcat "$SQUASH" cat
  kill -KILL "$(on dmz grep -h ^holder= -r /run/sallyport/sessions | sort -t = -k 2n | sed -n '1s/holder=//p')"
  wait "${proxy_pid[second]}"
  proxy_end second
  reap
  is "$(both)" '0 1' 'the second is killed: the third has it when asp-reap ran'
  send 5006 third1
  ok 'and its packets arrive' wait_until 5 arrived 2 third1
  shadowed=0
  proxy_end third
  ok 'nothing is left' wait_until 5 both_are '0 0'
  is "$(proxy_flows)$(proxy_open_sessions)" 0 'no flow and no record'
  kill "${servers[@]}"
  wait "${servers[@]}"
done

# Renewal, and the end without it ----------------------------------------------------------
lab_family 4
configure
proxy_session kept outside bobcat "$SQUASH" cat
proxy_session dead outside bear "$SQUASH" cat
left() { on dmz nft -j list map inet sallyport open4 | grep -o '"expires": [0-9]*' | grep -o '[0-9]*$'; }
# Sooner than in 20 s: what is left of its minute is not seen to grow otherwise.
proxy_end dead
before=$(left)
renewed() { local now; now=$(left) && [ "$now" -gt "$before" ] || { before=$now; false; }; }
ok 'the holder renews its element' wait_until 25 renewed
kill -KILL "$(holder_of bobcat)"
wait "${proxy_pid[kept]}"
proxy_end kept
expired() { both_are '0 0'; }
is "$(both)" '0 1' '(a holder that was killed leaves its element)'
if [ -n "${SLOW-}" ]; then
  ok 'which expires by itself, though asp-reap never ran' wait_until 65 expired
fi
status 0 'asp-reap takes it away' reap
is "$(both)" '0 0' 'at once'
status 0 'stop purges both' on dmz "$LAB_PREFIX/bin/asperaproxy" stop
is "$(on dmz sh -c 'nft list tables; iptables-save; ip6tables-save' | grep -v sallyport_border | grep -ci sallyport)" 0 'and leaves nothing of ours but the border'
done_testing
