#!/bin/bash
# Leases of the forward proxy: for whom they are, how they end, and that nothing of
# them is left, whatever dies. What arrives on outer decides, not lists of rules.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"
. "$LAB_LIB/forward.sh"

lab_up dmz inner inner2 outer outside inside1
asperaproxy() { on dmz timeout 30 "$LAB_PREFIX/bin/asperaproxy" "$@"; }
sessions() { on dmz timeout 20 "$LAB_PREFIX/bin/asp-sessions" "$@"; }
reap() { on dmz "$LAB_PREFIX/bin/asp-reap"; }
# datagram HOST TEXT: to the lease's UDP port, and a connection to its TCP port.
knock() {
  on "$1" python3 "$LAB_LIB/udp.py" send "$ANY_AT" "$DMZ_LAN_AT:$udp_port" "$2 udp" > /dev/null
  on "$1" timeout 1 bash -c "echo '$2 tcp' > /dev/tcp/$DMZ_LAN/$ssh_port" 2> /dev/null
}
arrived() { grep -q "^$1" "$TMPDIR/arrived"; }
reaped() { reap; forward_nothing; }
# Somebody who was asked for is somebody new each time.
asp_lease() { forward_lessors; }
no_asp_lease() { [ -z "$(asp_lease)" ]; }

forward_config '<cleanup_interval>1</cleanup_interval><session_timeout>30</session_timeout>'
on dmz iptables -P FORWARD DROP
on dmz ip6tables -P FORWARD DROP
forward_user alice
forward_user carol
ok '(the node service starts)' forward_start
forward_receiver

# For whom ---------------------------------------------------------------------------

ok 'with a FORWARD policy of DROP, SSH and UDP of a lease pass' forward_lease_stream one
is "$(sed -n 's/^one.* from=//p' "$TMPDIR/arrived" | sort -u)" "$DMZ" 'and come from the proxy'
knock inner2 stranger
knock inner friend
ok '(the one who asked gets through)' wait_until 5 arrived 'friend udp'
nok 'another inside address does not, with UDP or TCP' arrived stranger
api_host=inner2 api POST /proxy/leases "{\"destination\": \"$OUTER\", \"client\": \"$INNER\"}"
is "$status $(field code)" '403 other_address' 'nor may it ask for that address'
api_user=carol api DELETE "/proxy/leases/$lease"
is "$status" 404 'a lease of somebody else is not to be found'
api_user=carol api PUT "/proxy/leases/$lease"
is "$status" 404 'nor to be renewed'

# The ways to end ----------------------------------------------------------------------

# A reverse session beside it, which none of this may touch.
lab_udp inside1 echo "$INSIDE1:33001" "$TMPDIR/reverse"
proxy_session reverse outside bear "$SQUASH" cat
reverse_lives() {
  on outside timeout 10 python3 "$LAB_LIB/udp.py" send "0.0.0.0:5001" "$SQUASH:33001" "$1" --wait-reply 2 > /dev/null
}
ok '(a reverse session has a flow)' reverse_lives first

# ended HOW: of stream one, after what ended it.
ended() {
  ok "$1: SSH and UDP are cut at once" is_cut one
  ok "$1: TCP is told" is_broken one
  knock inner "late-${1// /-}"
  ok "$1: no packet sent afterwards arrives" is_cut "late-${1// /-}"
  is "$(forward_left)" '0 0 0' "$1: no element, flow or record is left"
  ok "$1: the reverse session lives" reverse_lives "after $1"
  stream_end one
  : > "$TMPDIR/arrived"
}

api DELETE "/proxy/leases/$lease"
is "$status" 204 'DELETE'
ended DELETE
api DELETE "/proxy/leases/$lease"
is "$status" 404 'once only'

ok '(another one)' forward_lease_stream one
status 0 'asp-sessions ends a lease' sessions --kill "$lease"
ended 'asp-sessions --kill'

ok '(another one)' forward_lease_stream one
status 0 'asperaproxy drain' asperaproxy drain
api PUT "/proxy/leases/$lease"
is "$status" 200 'drained: leases can be renewed'
ok 'and go on' is_flowing one
api POST /proxy/leases "{\"destination\": \"$OUTER\"}"
is "$status $(field code)" '503 drained' 'but there are no new ones'
asperaproxy undrain
status 0 'asperaproxy stop' asperaproxy stop
ok 'stopped: SSH and UDP are cut at once' is_cut one
ok 'and nothing is left' forward_nothing
api POST /proxy/leases "{\"destination\": \"$OUTER\"}"
is "$status $(field code)" '503 stopped' 'and there are no new ones'
asperaproxy start
stream_end one
proxy_end reverse

# A lease whose client went away -----------------------------------------------------------

# Of 8 seconds, since whatever looks at it takes its time on a busy machine.
forward_config '<cleanup_interval>1</cleanup_interval><session_timeout>8</session_timeout>'
proxy_session reverse outside bear "$SQUASH" cat
ok '(a reverse session again)' reverse_lives second
ok '(a lease of 8 seconds, by the configuration of now)' forward_lease_stream one
is "$(field renew_seconds)" 2 'a client is told to renew it in a third of that'
ok 'unrenewed, it ends by itself, though packets flow' wait_until 12 forward_nothing
ended expiry

# Whatever is killed -----------------------------------------------------------------------

forward_config '<cleanup_interval>1</cleanup_interval><session_timeout>60</session_timeout>'
ok '(a lease)' forward_lease_stream one
forward_stop
ok 'a stop of asperanoded leaves the lease as it is' is_flowing one
ok '(start)' forward_start
api GET "/proxy/leases/$lease"
is "$status" 200 'and a start finds it'
api PUT "/proxy/leases/$lease"
is "$status" 200 'and renews it'
ok 'all the while it flows' is_flowing one

kill -KILL $(asp_lease)
ok 'kill -9 of asp-lease: data goes on' is_flowing one
renewed() { api PUT "/proxy/leases/$lease"; [ "$status" = 200 ]; }
ok 'and the next one serves' wait_until 10 renewed
api DELETE "/proxy/leases/$lease"
is "$status" 204 'and ends'
ended 'after asp-lease was killed'

forward_config '<cleanup_interval>1</cleanup_interval><session_timeout>8</session_timeout>'
ok '(a lease of 8 seconds)' forward_lease_stream one
forward_stop KILL
ok 'kill -9 of asperanoded: data goes on' is_flowing one
ok 'and asp-lease is not left alone' wait_until 5 no_asp_lease
ok 'asp-reap, as from cron, ends the lease when it is over' wait_until 12 reaped
ended 'kill -9 of asperanoded'

# The client goes, and all of the service with it.
forward_start
start_forward() {
  : > "$TMPDIR/one"
  on_exec inner -u bear env ASPERA_PROXY_PASS=alice-secret asp-forward -q --proxy "dnat://alice@$DMZ_LAN" --to "$OUTER" \
    --ssh-port 7000 --udp-port 7000 -- python3 "$LAB_LIB/stream.py" send one %h %P %O > "$TMPDIR/stream.one" 2>&1 < /dev/null &
  forward=$!
  wait_until 10 is_flowing one
}
ok '(asp-forward runs a command)' start_forward
kill -KILL "$forward"
wait "$forward" 2> /dev/null
ok 'kill -9 of asp-forward: its command ends with it' is_cut one
ok '(again, beside what is left)' start_forward
kill -KILL "$forward" "$forward_pid" $(asp_lease)
wait "$forward" "$forward_pid" 2> /dev/null
ok 'kill -9 of all of them: it is as if they had never been' wait_until 14 reaped
ok 'the reverse session lives' reverse_lives 'after kill -9 of all'

forward_config '<session_timeout>60</session_timeout>'
forward_start
ok '(a lease)' forward_lease_stream one
on dmz nft delete table inet sallyport_lease
on dmz conntrack -D -m 0x10000000/0x10000000 > /dev/null 2>&1
ok '(somebody flushed the firewall)' is_cut one
reap
ok 'asp-reap lays again what somebody took away' wait_until 5 is_back one
rm "$(lab_root dmz)/run/sallyport/leases/$lease"
reap
ok 'and takes away what has no record' is_cut one
is "$(forward_left)" '0 0 0' 'wholly'
stream_end one
forward_stop

# Ports --------------------------------------------------------------------------------------

forward_config '<session_timeout>60</session_timeout><port_range_low>5000</port_range_low><port_range_high>5001</port_range_high>'
forward_start
lease "$OUTER" && first=$ssh_port
api DELETE "/proxy/leases/$lease"
lease "$OUTER" && second=$ssh_port
is "$(printf '%s\n' "$first" "$second" | sort | xargs)" '5000 5001' 'ports are taken in turn'
lease "$OUTER" '"ssh_port": 7000, "udp_port": 7000'
is "$ssh_port" "$first" 'and again'
forward_stream old
ok '(it flows)' is_flowing old
api DELETE "/proxy/leases/$lease"
ok 'a new lease of a port has nothing of the old one' is_cut old
api_host=inner2 lease "$OUTER" '"ssh_port": 7000, "udp_port": 7000'
is "$ssh_port" "$first" '(inner2 has the port now)'
ok 'nor has the old one anything of the new' is_cut old
stream_end old

# Only now: what runs in the background has the session's stdin open, too.
forward_stop
proxy_end reverse
is "$proxy_status" 0 'the reverse session has lived through all of it'
done_testing
