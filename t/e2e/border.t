#!/bin/bash
# The proxy is not a router: with routes on both sides that lead through it, nothing passes
# but sessions and leases; and the host's other duties go on.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside inside1
proxy() { on dmz timeout 60 "$LAB_PREFIX/bin/asperaproxy" "$@"; }
reap() { on dmz "$LAB_PREFIX/bin/asp-reap"; }
table() { on dmz nft -s -t list table inet sallyport_border 2> /dev/null; }
verdict() { proxy check | grep ' border: '; }
forwards() { on dmz sysctl -n net.ipv4.ip_forward net.ipv6.conf.all.forwarding | xargs; }
configure() {  # server elements
  lab_family 4
  lab_guide_config | sed "s|<server>|<server>${1-}|; s|</CONF>|<default><aspshell_commands><command>cat</command></aspshell_commands></default></CONF>|" | lab_config
}
for route in "outside $DMZ 203.0.113.0/24" "outside $DMZ_6 2001:db8:2::/64" "inside1 $DMZ_LAN 198.51.100.0/24" "inside1 $DMZ_LAN_6 2001:db8:1::/64"; do
  read -r host via network <<< "$route"
  on "$host" ip route add "$network" via "$via"
done

# Through the host, without a session: sshd inside, and a UDP echo there.
ssh_answers() { on outside timeout 2 bash -c "exec 3<> /dev/tcp/$INSIDE1/22 && head -c 4 <&3" 2> /dev/null | grep -q SSH-; }
udp_answers() {  # [to]
  on outside timeout 5 python3 "$LAB_LIB/udp.py" send "$ANY_AT:0" "${1-$INSIDE1_AT}:5353" through --wait-reply 1 2> /dev/null | grep -q through
}
inside_reaches() { on inside1 timeout 5 python3 "$LAB_LIB/udp.py" send "$ANY_AT:0" "$OUTSIDE_AT:5353" back --wait-reply 1 2> /dev/null | grep -q back; }
serve() {
  for family in 4 6; do
    lab_family $family
    lab_udp inside1 echo "$INSIDE1_AT:5353" "$TMPDIR/inside$family"
    lab_udp outside echo "$OUTSIDE_AT:5353" "$TMPDIR/outside$family"
    lab_udp inside1 echo "$INSIDE1_AT:33001" "$TMPDIR/session$family"
  done
}
serve
all_pass() {
  for family in 4 6; do
    lab_family $family
    ok "$1: TCP passes" ssh_answers
    ok "$1: UDP passes" udp_answers
  done
}
none_passes() {
  for family in 4 6; do
    lab_family $family
    nok "$1: no TCP from outside" ssh_answers
    nok "$1: no UDP from outside" udp_answers
    nok "$1: nor from inside" inside_reaches
  done
}
session_passes() {
  for family in 4 6; do
    lab_family $family
    proxy_session "$1$family" outside bear "$SQUASH" cat
    ok "$1: a session's UDP passes" eval 'on outside timeout 5 python3 "$LAB_LIB/udp.py" send "$ANY_AT:5001" "$SQUASH_AT:33001" text --wait-reply 2 | grep -q text'
    proxy_end "$1$family"
  done
}

# A container on this host, with what its manager sets up for it.
on_exec dmz unshare -n sleep infinity < /dev/null > /dev/null 2>&1 &
container=$!
wait_until 5 eval '[ "$(readlink /proc/$container/ns/net)" != "$(readlink "/proc/$(cat "$LAB_DIR/hosts/dmz" | head -1)/ns/net")" ] && grep -q sleep /proc/$container/comm'
on dmz sh -e -c "ip link add docker0 type bridge; ip addr add 192.0.2.65/26 dev docker0; ip link set docker0 up
  ip link add eth0 netns $container type veth peer name veth0; ip link set veth0 master docker0 up
  nft 'table ip containers { chain out { type nat hook postrouting priority 100; ip saddr 192.0.2.64/26 oifname != \"docker0\" masquerade; }; }'"
nsenter -t "$container" -n sh -c 'ip link set lo up; ip addr add 192.0.2.66/26 dev eth0; ip link set eth0 up; ip route add default via 192.0.2.65'
container_goes_on() {
  ok "$1: a container reaches the outside" eval 'nsenter -t $container -n timeout 5 python3 "$LAB_LIB/udp.py" send 0.0.0.0:0 "$OUTSIDE_4:5353" contained --wait-reply 1 | grep -q contained'
}
lab_family 4

# Where forwarding was on already -------------------------------------------------------------------

configure
all_pass '(before: routes lead through)'
like "$(verdict)" "^FAIL  border: not in force, so everything may be forwarded, IPv4 and IPv6 between lan and wan; it would cut [0-9]+ flows that are forwarded now, such as .* to .* - asperaproxy reload" \
  'check says so, and what would be cut'
rules=$(on dmz iptables-save -t nat)
status 0 'start: exit 0' proxy start
like "$(lab_log dmz)" 'LOG Closed the border: IPv4 and IPv6 between lan and wan' 'the log has it'
none_passes 'then'
session_passes with
container_goes_on 'beside'
like "$(verdict)" '^ok    border: nothing but sessions and leases passes, IPv4 and IPv6 between lan and wan' 'check says so'
is "$(on dmz iptables-save | grep -c border)" 0 'nothing of it is in iptables'
before=$(table)
status 0 'start again: exit 0' proxy start
is "$(table)" "$before" 'changes nothing'

# What the administrator's own rules translate is their will.
lab_family 4
on dmz nft "table ip theirs { chain in { type nat hook prerouting priority -100; iifname wan udp dport 5354 dnat to $INSIDE1:5353; }; }"
forwarded_by_them() { on outside timeout 5 python3 "$LAB_LIB/udp.py" send 0.0.0.0:0 "$DMZ:5354" theirs --wait-reply 1 2> /dev/null | grep -q theirs; }
ok "a port that the administrator's own rules forward goes on" forwarded_by_them

status 0 'stop: exit 0' proxy stop
none_passes 'stopped'
container_goes_on 'stopped'
status 0 '(start)' proxy start
for damage in 'delete table inet sallyport_border' 'flush table inet sallyport_border' 'flush ruleset'; do
  on dmz nft "$damage"
  lab_family 4
  ok "($damage: it passes)" udp_answers
  like "$(verdict)" '^FAIL  border: not in force' 'check sees it'
  reap
  is "$(table)" "$before" 'asp-reap puts it back'
  nok 'and nothing passes' udp_answers
done
like "$(lab_log dmz)" 'asp-reap.*LOG Put back the border' 'the log has it'
on dmz nft "table ip containers { chain out { type nat hook postrouting priority 100; ip saddr 192.0.2.64/26 oifname != \"docker0\" masquerade; }; }"

configure '<border>false</border>'
status 0 'with <border>false</border>: reload' proxy reload
all_pass 'it is off'
like "$(verdict)" '^warn  border: off, so more than sessions may be forwarded, .*; it would cut' 'check says so'
configure
status 0 'with it on again: reload' proxy reload
none_passes 'once more'

# Where nothing was forwarded before ------------------------------------------------------------------

status 0 'leave: exit 0' proxy leave
is "$(table)" '' 'no border'
is "$(forwards)" '1 1' 'forwarding was not the suite'"'"'s'
on dmz sysctl -q -w net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0
on dmz ip link set docker0 down
on dmz ip link del docker0
configure
on dmz sed -i 's|<enabled>true|<enabled>false|' "$LAB_PREFIX/etc/aspera.conf"
status 0 'start where nobody uses the proxy' proxy start
is "$(forwards) $(table)" '0 0 ' 'turns nothing on'
is "$(verdict)" '' 'and check has nothing to say'
configure
on dmz ip link add 'odd*' type bridge
status 0 'once somebody does: reload' proxy reload
like "$err" 'border: odd\* is not closed, since nft cannot write that name: asperaproxy reload when it has another$' 'says which interface nft cannot name'
like "$(verdict | grep '^warn')" 'border: odd\* is not closed' 'so does check'
on dmz ip link del 'odd*'
is "$(forwards)" '1 1' 'the kernel forwards'
like "$(verdict)" '^ok    border: nothing but .* between lan and .*wan' 'the border is there'
none_passes 'then'
session_passes strict
lab_family 4
on dmz nft "table ip theirs { chain out { type nat hook postrouting priority 100; ip saddr $OUTSIDE masquerade; }; }"
nok 'not even what a rule would translate' udp_answers
on dmz nft delete table ip theirs
status 0 '(start, when it is on)' proxy start
none_passes 'as before'
# Something new on the host is its manager's.
on dmz sh -e -c "ip link add docker0 type bridge; ip addr add 192.0.2.65/26 dev docker0; ip link set docker0 up; ip link set veth0 master docker0 up"
container_goes_on 'made later'
status 0 'leave' proxy leave
is "$(forwards) $(table)" '0 0 ' 'leaves the host as it was'
none_passes 'afterwards'
status 71 '(no border without nft:' on dmz sh -c "mount --bind /dev/null \$(ldconfig -p | sed -n 's/.*libnftables.so.1.* => //p'); exit 71"
status 71 'start, without nft: exit 71' proxy start
like "$err" '^asperaproxy: load libnftables.so.1: ' 'says why'
is "$(forwards)" '0 0' 'nothing is forwarded'
like "$(verdict)" '^FAIL  border: libnftables cannot be loaded, so everything may be forwarded' 'and so does check'
done_testing
