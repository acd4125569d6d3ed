#!/bin/bash
# sshd in a VRF: the outside is a routing domain of its own, which sshd listens in
# (ListenAddress … rdomain). Sessions and their UDP cross from it to the inside.
. "${0%/*}/../lib/vm.sh"
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside inside1
proxy_allow cat

# What an administrator does. The connected routes of wan go to the VRF with it; each side
# is told the way to the other.
on dmz ip -batch - << END
link add outside type vrf table 10
link set outside up
link set wan master outside
route add table 10 203.0.113.0/24 dev lan
route add 198.51.100.0/24 dev wan
END
root=$(lab_root dmz)
sed -i '/^ListenAddress/d; s/^Port .*//' "$root/etc/ssh/sshd_config"
printf 'ListenAddress %s:33001 rdomain outside\nListenAddress %s:22\n' "$SQUASH" "$DMZ_LAN" > "$root/etc/ssh/sshd_config.d/00-vrf.conf"
on dmz sh -c 'kill "$(cat /run/sshd.pid)"'
ok '(sshd is gone)' wait_until 20 lab_silent dmz 33001
status 0 '(sshd listens in the VRF)' on dmz /usr/sbin/sshd
ok '(and is heard)' wait_until 20 on outside nc -z "$SQUASH" 33001

is "$(on outside -u bear timeout 120 ssh -p 33001 "bear@$SQUASH" cat <<< hello)" hello 'a session crosses'
on outside -u bear bash -c 'head -c 3M /dev/urandom > file'
status 0 'a file crosses' on outside -u bear timeout 200 asp-cp -q -P 33001 file "bear@$SQUASH:/tmp/vrf"
ok 'and is whole' cmp "$(lab_root outside)/home/bear/file" "$(lab_root inside1)/tmp/vrf"

proxy_session one outside bear "$SQUASH" cat
like "$(proxy_rule_lines)" "$(proxy_pattern "$OUTSIDE" "$SQUASH" 33001 "$INSIDE1" 33001)" 'a session has its pinhole'
on dmz "$LAB_PREFIX/bin/asp-reap"
is "$(proxy_open_sessions)" 1 'asp-reap takes it for living'
proxy_end one
closed() { [ "$(proxy_rules)" = 0 ]; }
ok 'and it is closed with the session' wait_until 20 closed

done_testing
