#!/bin/bash
# asp-sessions and asperaproxy: seeing, following, ending and draining sessions.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside outside2 inside1
proxy_allow cat
sessions() { on dmz timeout 20 "$LAB_PREFIX/bin/asp-sessions" "$@"; }
asperaproxy() { on dmz timeout 20 "$LAB_PREFIX/bin/asperaproxy" "$@"; }
send() {  # host source-port text [count [destination]]: a reply to each is waited for
  on "$1" timeout 20 python3 "$LAB_LIB/udp.py" send "0.0.0.0:$2" "${5-$SQUASH:33001}" "$3" --count "${4-1}" --wait-reply 5 > /dev/null
}
nothing_left() { [ "$(proxy_rules)$(proxy_flows)" = 0 ]; }
arrived() { grep -q " $1\$" "$TMPDIR/received"; }
json() { sessions --json "${@:2}" | python3 -c "import json, sys; d = json.load(sys.stdin); print($1)"; }
shown() { sessions "$@" | awk 'NR > 1 { print $2, $4, $5, $6 }'; }
states() { [ "$(shown | awk '{ print $4 }' | sort | xargs)" = "$1" ]; }
flows_of() { on dmz conntrack -L -p udp -m 0x8000000/0x8000000 2> /dev/null | grep -c "src=$1 .*sport=$2 "; }
proxy_log_has() { lab_log dmz | grep -q -- "$1"; }
ended() { ! kill -0 "$1" 2> /dev/null; }
remote_commands() { lab_pids inside1 cat | wc -l; }
remote_commands_are() { [ "$(remote_commands)" = "$1" ]; }

lab_udp inside1 echo "$INSIDE1:33001" "$TMPDIR/received"
status 0 'without sessions: exit 0' sessions
is "$(wc -l <<< "$out")" 1 'just the header'
status 77 'a transfer user is told what it needs' on dmz -u bear "$LAB_PREFIX/bin/asp-sessions"
like "$err" 'as root, or with sudo$' 'in one line'

# Seeing -------------------------------------------------------------------------------

proxy_session one outside bear "$SQUASH" cat
like "$(shown)" "^bear $OUTSIDE:[0-9]+ $INSIDE1:22 open\$" 'a session without a flow: its SSH ends, open'
send outside 5001 first
ok '(its flow is learnt)' wait_until 5 states pinned
is "$(shown)" "bear $OUTSIDE:5001 $INSIDE1:33001 pinned" 'its UDP ends, pinned'
proxy_session two outside2 bobcat "$INDIVIDUAL" cat
send outside2 5002 second 1 "$INDIVIDUAL:33001"
ok '(another user from another client)' wait_until 5 states 'pinned pinned'
is "$(shown user=bobcat)" "bobcat $OUTSIDE2:5002 $INSIDE1:33001 pinned" 'each with his own'
is "$(shown client="$OUTSIDE" | wc -l)" 1 'by client'

before=$(json 'd[0]["to_server"]["packets"], d[0]["to_client"]["packets"], d[0]["to_client"]["bytes"]' user=bear)
is "$before" "1 1 33" 'packets and bytes are counted each way'
send outside 5001 '{n} xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' 20
is "$(json 'd[0]["to_server"]["packets"], d[0]["to_client"]["packets"]' user=bear)" '21 21' 'and grow with each packet'
is "$(json 'd[0]["to_server"]["packets"]' user=bobcat)" 1 'not with those of others'
is "$(json 'd[0]["user"], d[0]["rule"], d[0]["upstream_user"], d[0]["host"]' user=bear)" "bear 1 xfer $INSIDE1:22" 'JSON has what is on record'
metrics=$(sessions --prometheus)
like "$metrics" 'sallyport_session_packets\{rule="1",user="bear",direction="to_server"\} 21' 'and so have the metrics'
like "$metrics" 'sallyport_sessions_by_state\{state="pinned"\} 2' 'by state, too'

: > "$TMPDIR/watched"
on_exec dmz timeout -s INT 4 "$LAB_PREFIX/bin/asp-sessions" --watch 0.5 user=bear > "$TMPDIR/watched" &
watching=$!
ok '--watch draws' wait_until 5 grep -q UP-RATE "$TMPDIR/watched"
send outside 5001 '{n} xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' 100
ok 'with the rate while packets come' wait_until 5 grep -qE 'bear.* [1-9][0-9.]*k?bit/s +[1-9][0-9.]*k?bit/s$' "$TMPDIR/watched"
wait "$watching"

bases='base_ipv4=present base_ipv6=absent base_nftables=absent'
[ "${LAB_FORWARDING-}" != nftables ] || bases='base_ipv4=absent base_ipv6=absent base_nftables=present'
is "$(asperaproxy status | xargs)" "stopped=no drained=no sessions=2 $bases leases=0" 'status counts them'

# Ending -------------------------------------------------------------------------------

proxy_session three outside2 bear "$SQUASH" cat
send outside2 5003 third
ok '(bear has two sessions, outside2 has two)' wait_until 5 states 'pinned pinned pinned'
is "$(remote_commands)" 3 '(three remote commands run)'
one=$(json 'd[0]["session"]' client="$OUTSIDE")
holder=$(json 'd[0]["holder"]' client="$OUTSIDE")
is "$(cat "/proc/$holder/comm")" asp-pinhole '(the record names its holder)'

status 0 '--kill UUID: exit 0' on dmz env SUDO_USER=alice SUDO_UID=1234 timeout 20 "$LAB_PREFIX/bin/asp-sessions" --kill "$one"
like "$out" "^ended session=$one user=bear client=$OUTSIDE:[0-9]+ server=$INSIDE1:22\$" 'says what it ended'
is "$(proxy_rules_of "$OUTSIDE")" 0 'when it returns, the rule is gone'
is "$(flows_of "$OUTSIDE" 5001)" 0 'and the flow'
nok 'and the record' on dmz test -e "/run/sallyport/sessions/$one"
ok "the client's ssh ends at once" wait_until 5 ended "${proxy_pid[one]}"
proxy_end one
ok 'with a failure' test "$proxy_status" -ne 0
is "$(wc -l < "$TMPDIR/one.err")" 1 'and one line for the user' || diag "$(cat "$TMPDIR/one.err")"
ok 'the remote command ends' wait_until 5 remote_commands_are 2
send outside 5001 ghost
nok 'a packet sent afterwards does not arrive' arrived ghost
ok 'the log names the session, and who ended it' proxy_log_has "asp-sessions.*LOG Killed session=$one user=bear .* by=alice uid=1234\$"
ok 'and has its end line' proxy_log_has "LOG Connection closed .*session=$one "
send outside2 5002 alive2 1 "$INDIVIDUAL:33001"
ok "the others' flows go on" arrived alive2
send outside2 5003 alive3
ok 'of whichever user' arrived alive3

status 1 '--kill of who is not there: exit 1' sessions --kill "client=$OUTSIDE"
status 0 '--kill user=NAME: exit 0' sessions --kill user=bear
is "$(wc -l <<< "$out")" 1 "ends that user's"
ok 'his ssh ends' wait_until 5 ended "${proxy_pid[three]}"
proxy_end three
ok 'with a failure' test "$proxy_status" -ne 0
ok 'his remote command, too' wait_until 5 remote_commands_are 1
send outside2 5002 alive 1 "$INDIVIDUAL:33001"
ok 'another user from the same client goes on' arrived alive
is "$(shown)" "bobcat $OUTSIDE2:5002 $INSIDE1:33001 pinned" 'and is all that is left'
proxy_session four outside bear "$SQUASH" cat
proxy_session five outside2 bear "$SQUASH" cat
status 0 '--kill client=ADDRESS: exit 0' sessions --kill "client=$OUTSIDE2"
is "$(grep -c "client=$OUTSIDE2:" <<< "$out") $(wc -l <<< "$out")" '2 2' 'ends all of that client, whosever they are'
is "$(json '[s["client"].split(":")[0] for s in d]')" "['$OUTSIDE']" 'and no other'
for name in two five; do
  ok "ssh of $name ends" wait_until 5 ended "${proxy_pid[$name]}"
  proxy_end $name
done
nok 'nobody but the holder was signalled' proxy_log_has 'told to end'

# Draining -------------------------------------------------------------------------------

send outside 5004 before
status 0 'drain: exit 0' asperaproxy drain
is "$out" 'drained: no new sessions are taken; 1 is left' 'says how many are left'
status 75 'a new session is refused: exit 75' on outside2 -u bear timeout 20 ssh -n -p 33001 "bear@$SQUASH" cat
is "$(wc -l <<< "$err")" 1 'with one line for the user'
like "$err" 'Try again later' 'that says what to do'
is "$(asperaproxy status | sed -n 2,3p | xargs)" 'drained=yes sessions=1' 'status says so'
like "$(sessions --prometheus)" 'sallyport_drained 1' 'and the metrics'
send outside 5004 during
ok 'the living session goes on' arrived during
proxy_end four
is "$proxy_status" 0 'to its regular end'
is "$(asperaproxy status | sed -n 2,3p | xargs)" 'drained=yes sessions=0' 'none is left'
status 0 'undrain: exit 0' asperaproxy undrain
proxy_session six outside2 bear "$SQUASH" cat
is "$(shown | cut -d ' ' -f 1)" bear 'and sessions are taken again'
proxy_end six
is "$proxy_status" 0 'and served'

# The firewall loses its base --------------------------------------------------------------

proxy_session seven outside bear "$SQUASH" cat
proxy_forget_rules
status 1 'status, after somebody flushed the firewall: exit 1' asperaproxy status
like "$out" "$(proxy_base_lost)" 'says what is wrong'
on dmz "$LAB_PREFIX/bin/asp-reap"
status 0 'status, after asp-reap: exit 0' asperaproxy status
proxy_end seven

# IPv6: what shows addresses, or asks for them ----------------------------------------------

ok '(nothing is left of all this)' wait_until 5 nothing_left
lab_family 6
proxy_allow cat
lab_udp inside1 echo "$INSIDE1_AT:33001" "$TMPDIR/received"
send() {
  on "$1" timeout 20 python3 "$LAB_LIB/udp.py" send "$ANY_AT:$2" "$SQUASH_AT:33001" "$3" --wait-reply 5 > /dev/null
}
proxy_session eight outside bear "$SQUASH" cat
send outside 5008 eighth
ok '(its flow is learnt)' wait_until 5 states pinned
is "$(shown)" "bear $OUTSIDE_AT:5008 $INSIDE1_AT:33001 pinned" 'its UDP ends'
is "$(json 'd[0]["to_server"]["packets"], d[0]["to_client"]["packets"]' "client=$OUTSIDE")" '1 1' 'packets are counted each way'
like "$(asperaproxy status)" "sessions=1.*$(proxy_base_lost | sed 's/=.*//')=present" 'status knows the base'
proxy_forget_rules
like "$(asperaproxy status)" "$(proxy_base_lost)" 'and when it is damaged'
on dmz "$LAB_PREFIX/bin/asp-reap"
status 0 'until asp-reap ran' asperaproxy status
proxy_session nine outside2 bear "$SQUASH" cat
is "$(sessions --kill "client=$OUTSIDE2" | grep -cF "client=$OUTSIDE2_AT:")" 1 '--kill client=ADDRESS ends the one'
proxy_end nine
send outside 5008 alive8
ok 'and the other goes on' arrived alive8
proxy_end eight

ok 'nothing is left of all this' wait_until 5 nothing_left
is "$(proxy_open_sessions)" 0 'on record either'
done_testing
