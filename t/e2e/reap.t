#!/bin/bash
# asp-reap: what a killed holder leaves goes, what lives or is foreign stays.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside outside2 inside1
proxy_allow cat
reap() { on dmz "$LAB_PREFIX/bin/asp-reap"; }
rules_of() { on dmz iptables -t nat -S SALLYPORT-DNAT | grep -c -- "-s $1/32"; }
marked() { on dmz conntrack -L -p udp -m 0x8000000/0x8000000 2> /dev/null; }
send() { on "$1" python3 "$LAB_LIB/udp.py" send "0.0.0.0:$2" "$SQUASH:33001" "$3" > /dev/null; }
arrived() { grep -q " $1\$" "$TMPDIR/received"; }
no_session() { [ -z "$(lab_pids dmz ascp_rproxy)" ]; }

lab_udp inside1 recv "$INSIDE1:33001" "$TMPDIR/received"
on dmz iptables -t nat -A PREROUTING -p udp --dport 7 -m comment --comment "somebody else" -j DNAT --to-destination 203.0.113.99
on dmz iptables -A FORWARD -s 192.0.2.7 -j DROP
foreign() { on dmz iptables-save | grep -e 'somebody else' -e 192.0.2.7; }
theirs=$(foreign)

proxy_session dead outside bear "$SQUASH" cat
proxy_session living outside2 bear "$SQUASH" cat
send outside 5001 one
send outside2 5002 two
ok "(two sessions carry packets)" wait_until 5 arrived two
status 0 "with both alive there is nothing to do" reap
is "$(proxy_rules) $out$err" "2 " "and nothing is done or said"

doomed=$(on dmz grep -l "client=$OUTSIDE:" -r /run/sallyport/sessions)
holder=$(for pid in $(lab_pids dmz asp-pinhole); do
  readlink "/proc/$pid/fd"/* 2> /dev/null | grep -q "^$doomed" && echo "$pid"
done)
kill -KILL "$holder"
proxy_end dead
ok "a session whose holder was killed is ended" test "$proxy_status" -ne 0
is "$(rules_of "$OUTSIDE")" 1 "(its rule is still there: nobody was left to remove it)"
status 0 "asp-reap runs" reap
is "$out$err" "" "says nothing to cron"
is "$(rules_of "$OUTSIDE")" 0 "removes the rule of the dead session"
is "$(marked | grep -c "src=$OUTSIDE ")" 0 "and its flow"
nok "and its record" on dmz test -e "$doomed"
send outside 5001 ghost
send outside2 5002 alive
ok "the living session's flow goes on" wait_until 5 arrived alive
nok "the dead one's does not" arrived ghost
is "$(rules_of "$OUTSIDE2")" 1 "the living session's rule is untouched"
is "$(foreign)" "$theirs" "foreign rules are untouched"
like "$(lab_log dmz | grep asp-reap)" "Reaped session=${doomed##*/}" "syslog says what was done"

on dmz iptables -t nat -A SALLYPORT-DNAT -s 192.0.2.1 -p udp --dport 9 -m comment --comment stray -j DNAT --to-destination "$INSIDE1:9"
reap
is "$(proxy_rules)" 1 "a rule in our chain that no session accounts for is removed"

proxy_end living
ok "(the last session is over)" wait_until 5 no_session
is "$(proxy_rules)$(marked)" 0 "and left nothing"
is "$(on dmz ls -A /run/sallyport/sessions /run/sallyport/callers /run/sallyport/turns | grep -vc -e : -e '^$')" 0 "no token or record is left either"
done_testing
