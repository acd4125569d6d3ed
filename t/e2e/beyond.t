#!/bin/bash
# More sessions than the chain of iptables is for: those beyond it are in the maps of nftables, and
# nobody sees a difference. Where nftables cannot be used, they are in the chain all the same.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
LAB_FORWARDING=
. "$LAB_LIB/proxy.sh"

lab_up dmz outside outside2 inside1
on dmz "$LAB_PREFIX/bin/asperaproxy" start > /dev/null  # behind the border
nft_library=$(ldconfig -p | sed -n 's/.*libnftables.so.1.* => //p')
proxy() { on dmz "$LAB_PREFIX/bin/asperaproxy" "$@"; }
reap() { on dmz "$LAB_PREFIX/bin/asp-reap"; }
by() {  # iptables|nftables COMMAND...: what proxy.sh says of that firewall
  local LAB_FORWARDING=${1#iptables}
  "${@:2}"
}
# How many rules are in iptables, and how many elements in nftables.
both() { echo "$(by iptables proxy_rules) $(by nftables proxy_rules)"; }
both_are() { [ "$(both)" = "$1" ]; }
proxy_ready() { [ "$(proxy_open_sessions)" = "$(($(by iptables proxy_rules) + $(by nftables proxy_rules)))" ]; }
talks() {  # host source-port text
  on "$1" python3 "$LAB_LIB/udp.py" send "$ANY_AT:$2" "$SQUASH_AT:33001" "$3" --wait-reply 3 > /dev/null
}
pinned() { by "$1" proxy_pinned "$2" 33001; }
forget_flows() { on dmz conntrack -f "$IP" -D -p udp > /dev/null 2>&1; }
verdict() { proxy check 2> /dev/null | grep " $1: "; }
nft_usable() { on dmz nft list tables > /dev/null 2>&1; }
lab_guide_config | sed "s|<rules>|<iptables_sessions>1</iptables_sessions><rules>|
  s|</CONF>|<default><aspshell_commands><command>cat</command></aspshell_commands></default></CONF>|" | lab_config

is "$(on dmz sh -c 'iptables-save; ip6tables-save' 2> /dev/null | grep -c '^:SALLYPORT')" 6 'an idle proxy has three chains of each family'
ok 'and its table nat is on one screen' [ "$(on dmz iptables -t nat -L | wc -l)" -le 30 ]
like "$(verdict nftables)" '^ok .*usable, for sessions beyond the 1 of iptables' 'check says what nftables is for'

for family in 4 6; do
  lab_family $family
  lab_udp inside1 echo "$INSIDE1_AT:33001" "$TMPDIR/received"
  proxy_session one outside bear "$SQUASH" cat
  is "$(both)" '1 0' 'the first session is in the chain'
  ok '(its UDP crosses)' talks outside 5001 one
  ok '(its rule is narrowed)' wait_until 5 pinned iptables 5001
  proxy_session two outside2 bear "$SQUASH" cat
  is "$(both)" '1 1' 'the chain is full: the second is in the maps'
  ok 'its UDP crosses' talks outside2 5002 two
  ok 'and it is narrowed' wait_until 5 pinned nftables 5002
  proxy_session three outside bear "$SQUASH" cat
  is "$(both)" '1 2' "and so is a third, of the first one's client"
  ok 'its UDP crosses' talks outside 5003 three
  ok 'and it is narrowed' wait_until 5 pinned nftables 5003
  forget_flows
  ok "what begins anew is still the first one's" talks outside 5001 four
  ok "or the second's" talks outside2 5002 five
  ok "or the third's" talks outside 5003 six
  nok "and that of nobody's port is nobody's" talks outside 5004 seven

  is "$(on dmz "$LAB_PREFIX/bin/asp-sessions" --json | python3 -c 'import json, sys; print(len(json.load(sys.stdin)))')" 3 'asp-sessions shows all of them'
  status 0 'status: all is there' proxy status
  [ $family = 6 ] || unlike "$(proxy check 2> /dev/null | grep ' rules: ')" '^(FAIL|warn)' 'and so says check'
  said=$(lab_log dmz | grep -c 'asp-reap')
  reap
  is "$(lab_log dmz | grep -c 'asp-reap') $(both)" "$said 1 2" 'asp-reap finds nothing to do'
  on dmz "$IPTABLES" -t nat -F
  on dmz nft delete table inet sallyport
  reap
  is "$(both)" '1 2' 'it puts back what somebody took, in both'
  forget_flows
  ok '(and UDP crosses again)' eval 'talks outside 5001 a && talks outside2 5002 b && talks outside 5003 c'

  proxy_end one
  is "$proxy_status $(both)" '0 0 2' 'the first one ends'
  proxy_session four outside bear "$SQUASH" cat
  is "$(both)" '1 2' 'and the next takes its place'
  for name in two three four; do proxy_end $name; done
  is "$(both) $(proxy_flows | wc -l)" '0 0 0' 'nothing is left of all of them'
  is "$(on dmz ls -A /run/sallyport/chains)" '' 'on record neither'

  kill "$LAB_UDP"
  wait "$LAB_UDP"
done
# Where nftables is of no use ------------------------------------------------------
lab_family 4
lab_udp inside1 echo "$INSIDE1_AT:33001" "$TMPDIR/received"
# Somebody holds the table, so that the kernel refuses ours.
on dmz nft delete table inet sallyport
proxy_session one outside bear "$SQUASH" cat
coproc owner { on dmz nft -i 2>&1; }
echo 'add table inet sallyport { flags owner; }' >&"${owner[1]}"
ok '(the kernel refuses a change)' wait_until 5 eval '! on dmz nft add chain inet sallyport mine 2> /dev/null && nft_usable'
proxy_session two outside2 bear "$SQUASH" cat
is "$(both)" '2 0' 'where the kernel refuses, the chain goes on'
ok 'and UDP crosses' talks outside2 5006 refused
proxy_end two
echo quit >&"${owner[1]}"
wait "$owner_PID"
proxy_end one

# No library.
on dmz mount --bind /dev/null "$nft_library"
proxy_session one outside bear "$SQUASH" cat
proxy_session two outside2 bear "$SQUASH" cat
is "$(by iptables proxy_rules)" 2 'without nftables the chain goes on, too'
ok 'and UDP crosses' talks outside2 5007 without
like "$(verdict nftables)" '^warn .*libnftables cannot be loaded: more than 1 sessions stay in the chain of iptables' 'check says so'
proxy_end two
proxy_end one
on dmz umount "$nft_library"
is "$(both) $(proxy_flows | wc -l)" '0 0 0' 'nothing is left'
kill "$LAB_UDP"
wait "$LAB_UDP"
done_testing
