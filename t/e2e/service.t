#!/bin/bash
# asperaproxy as a service: start, stop, restart and reload, as init calls them.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside outside2 inside1
lab_guide_config | sed 's|</CONF>|<default><aspshell_commands><command>cat</command><command udp="false">cat -</command></aspshell_commands></default></CONF>|' | lab_config
service() { on dmz timeout 60 /etc/init.d/asperaproxy "$@"; }
send() {  # host source-port text
  on "$1" timeout 20 python3 "$LAB_LIB/udp.py" send "0.0.0.0:$2" "$SQUASH:33001" "$3" --wait-reply 0.5 > /dev/null 2>&1
}
arrived() { grep -q " $1\$" "$TMPDIR/received"; }
ours() { on dmz sh -c 'iptables-save; ip6tables-save' | grep -ci sallyport; }
marked() { on dmz conntrack -L -p udp -m 0x8000000/0x8000000 2> /dev/null; }
ended() { ! kill -0 "$1" 2> /dev/null; }
remote_commands_are() { [ "$(lab_pids inside1 cat | wc -l)" = "$1" ]; }
proxy_log_has() { lab_log dmz | grep -q -- "$1"; }
settings() { on dmz cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding /proc/sys/net/netfilter/nf_conntrack_acct | xargs; }
state() { on dmz "$LAB_PREFIX/bin/asperaproxy" status | xargs; }

lab_udp inside1 echo "$INSIDE1:33001" "$TMPDIR/received"
on dmz iptables -t nat -A PREROUTING -p udp --dport 7 -m comment --comment "somebody else" -j DNAT --to-destination 203.0.113.99
on dmz iptables -A FORWARD -s 192.0.2.7 -j DROP
foreign() { on dmz iptables-save | grep -e 'somebody else' -e 192.0.2.7; }
theirs=$(foreign)

# start ------------------------------------------------------------------------------

on dmz sysctl -q -w net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0 net.netfilter.nf_conntrack_acct=0
status 0 'start: exit 0' service start
is "$out$err" 'started: 0 sessions living' 'says how many live'
is "$(settings)" '1 1 1' 'forwarding and counting are on'
is "$(state)" 'stopped=no drained=no sessions=0 base_ipv4=present base_ipv6=present base_nftables=absent leases=0' 'the base is laid'
before=$(on dmz iptables-save | grep -v '^#')
status 0 'start again: exit 0' service start
is "$(on dmz iptables-save | grep -v '^#')" "$before" 'changes nothing'
status 0 'status: exit 0' service status

# A host whose IPv6 route a router advertised would lose it.
on dmz sysctl -q -w net.ipv6.conf.all.forwarding=0 net.ipv6.conf.wan.accept_ra=1
advertised() { on dmz ip -6 route show default proto ra | grep -q wan; }
advertise() {
  on outside python3 -c 'import socket, struct
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
s.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0), ("ff02::1", 0, 0, socket.if_nametoindex("wan")))'
  advertised
}
ok '(a router advertises a route)' wait_until 5 advertise
status 0 'start, there: exit 0' service start
like "$err" '^asperaproxy: IPv6 is not forwarded: wan would lose its route; set net.ipv6.conf.wan.accept_ra=2' 'says what it left'
ok 'the route is there' advertised
is "$(settings)" '1 0 1' 'IPv6 is not forwarded'
on dmz sysctl -q -w net.ipv6.conf.wan.accept_ra=2
status 0 'with accept_ra=2: exit 0' service start
is "$err $(settings)" ' 1 1 1' 'it is'
ok 'and the route stays' advertised
on dmz sysctl -q -w net.ipv6.conf.wan.accept_ra=0
on dmz ip -6 route del default proto ra

# stop -------------------------------------------------------------------------------

proxy_session one outside bear "$SQUASH" cat
send outside 5001 first
ok '(packets arrive)' wait_until 5 arrived first
on_exec outside2 -u bear ssh -p 33001 "bear@$SQUASH" cat - < <(sleep 100) > /dev/null 2> "$TMPDIR/mute.err" &
mute=$!
ok '(another session, without UDP)' wait_until 10 remote_commands_are 2
status 0 'stop: exit 0' service stop
is "$out$err" 'stopped: no new sessions are taken; 2 sessions ended' 'says how many it ended, that without UDP included'
is "$(ours) $(marked)" '0 ' 'no rule and no flow of the suite is left'
is "$(foreign)" "$theirs" 'foreign rules are untouched'
ok 'the clients end' wait_until 5 ended "${proxy_pid[one]}"
proxy_end one
ok 'with a failure' test "$proxy_status" -ne 0
ok 'the other, too' wait_until 5 ended $mute
wait $mute
is $? 75 'with a temporary one'
ok 'the remote commands end' wait_until 5 remote_commands_are 0
send outside 5001 ghost
nok 'a packet sent afterwards does not arrive' arrived ghost
ok 'the log says how many' proxy_log_has 'asperaproxy.*LOG Stopped: ended 2 sessions'
status 75 'a new session is refused: exit 75' on outside -u bear timeout 20 ssh -n -p 33001 "bear@$SQUASH" cat
like "$err" '^This proxy takes no further sessions right now. Try again later.$' 'with one line for the user'
ok 'and the log says why' proxy_log_has 'ERR stopped: no new sessions are taken until asperaproxy start (exit 75)\|ERR stopped: no new sessions are taken until asperaproxy start session='
is "$(on dmz "$LAB_PREFIX/bin/asperaproxy" status | xargs)" 'stopped=yes drained=no sessions=0 base_ipv4=absent base_ipv6=absent base_nftables=absent leases=0' 'status says so'
status 3 'status of the init script, stopped: exit 3' service status
status 0 'stop again: exit 0' service stop
is "$out" 'stopped: no new sessions are taken; 0 sessions ended' 'ends nobody'
on dmz sh -c "$LAB_PREFIX/bin/asp-rules base < /dev/null | iptables-restore --noflush"
on dmz "$LAB_PREFIX/bin/asp-reap"
is "$(ours)" 0 'asp-reap keeps a stopped proxy free of rules'
status 0 'reload of a stopped proxy: exit 0' service reload
is "$(ours)" 0 'lays none'
like "$out" 'the proxy is stopped' 'and says so'

# start again, reload, restart --------------------------------------------------------------

status 0 'start: exit 0' service start
proxy_session two outside bear "$SQUASH" cat
send outside 5002 second
ok 'sessions are taken again' wait_until 5 arrived second
config=$(on dmz cat "$LAB_PREFIX/etc/aspera.conf")
echo '<CONF><server><rproxy><bogus/></rproxy></server></CONF>' | lab_config
before=$(on dmz iptables-save | grep -v '^#')
status 78 'reload with a wrong aspera.conf: exit 78' service reload
like "$err" 'aspera.conf:1:[0-9]+: bogus: unknown element' 'says where'
is "$(on dmz iptables-save | grep -v '^#')" "$before" 'and changes nothing'
lab_config <<< "$config"
on dmz iptables -t nat -F
on dmz conntrack -D -p udp > /dev/null 2>&1
status 0 'reload after somebody flushed the firewall: exit 0' service reload
is "$out" 'reloaded: the configuration is valid; 1 session living' 'says what lives'
send outside 5002 third
ok 'packets of the living session arrive again' wait_until 5 arrived third
on dmz "$LAB_PREFIX/bin/asperaproxy" drain > /dev/null
status 0 'restart: exit 0' service restart
is "$out" 'stopped: no new sessions are taken; 1 session ended
started: 0 sessions living; drained: no new sessions are taken until asperaproxy undrain' 'ends all, and leaves a drain as it is'
is "$(state)" 'stopped=no drained=yes sessions=0 base_ipv4=present base_ipv6=present base_nftables=absent leases=0' 'and is up'
on dmz "$LAB_PREFIX/bin/asperaproxy" undrain > /dev/null
proxy_end two

# What is in the way ------------------------------------------------------------------------------

proxy_session dead outside bear "$SQUASH" cat
# shellcheck disable=SC2046
kill -KILL $(lab_pids dmz asp-pinhole)
proxy_session stuck outside2 bear "$SQUASH" cat
stuck=$(lab_pids dmz asp-pinhole)
kill -STOP "$stuck"
status 71 'stop, with a session that does not end: exit 71' service stop
like "$err" 'session [0-9a-f-]+: its record is still there after being told to end' 'says which'
is "$(ours) $(marked)" '0 ' 'but the rules are gone'
kill -CONT "$stuck"
proxy_end dead
proxy_end stuck
is "$(ours) $(proxy_open_sessions)" '0 0' 'and stay away when it goes on'
mv "$(lab_root dmz)/usr/sbin/iptables" "$(lab_root dmz)/usr/sbin/iptables.away"
status 71 'start without iptables: exit 71' service start
like "$err" 'iptables' 'says what is missing'
like "$(on dmz ls /run/sallyport)" stopped 'and the proxy stays stopped'
mv "$(lab_root dmz)/usr/sbin/iptables.away" "$(lab_root dmz)/usr/sbin/iptables"

# A session that was let in, and waits for its turn, while the proxy stops.
service start > /dev/null
proxy_session first outside bear "$SQUASH" cat
on_exec outside -u bear ssh -n -p 33001 "bear@$SQUASH" cat > /dev/null 2>&1 &
waiting=$!
pinholes_are() { [ "$(lab_pids dmz asp-pinhole | wc -l)" = "$1" ]; }
ok '(one waits for its turn)' wait_until 5 pinholes_are 2
status 0 'stop: exit 0' service stop
wait $waiting
is $? 75 'who waited is refused'
ok 'because nothing opens once the rules are purged' proxy_log_has 'asp-pinhole.*Refused a pinhole to bear: stopped'
is "$(ours)" 0 'no rule is left'
proxy_end first

# systemd -------------------------------------------------------------------------------------------

unit=/usr/lib/systemd/system/asperaproxy.service
if on dmz test -x /usr/bin/systemd-analyze; then
  status 0 'the unit is valid' on dmz env SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no $unit
  is "$(grep asperaproxy <<< "$err")" '' 'without a warning'
else
  skip 'systemd is not installed' 'the unit is valid'
fi
granted=$(on dmz sed -n 's/^CapabilityBoundingSet=//p' $unit | tr ' ' '\n' | sed 's/CAP_/+/' | tr '\nA-Z' ',a-z')
as_unit() { on dmz setpriv --bounding-set="-all,${granted%,}" --no-new-privs timeout 60 "$LAB_PREFIX/bin/asperaproxy" "$1"; }
status 0 'start, with the rights that the unit has: exit 0' as_unit start
proxy_session three outside bear "$SQUASH" cat
on_exec outside2 -u bear ssh -p 33001 "bear@$SQUASH" cat - < <(sleep 100) > /dev/null 2>&1 &
mute=$!
ok '(two sessions)' wait_until 10 remote_commands_are 2
status 0 'reload' as_unit reload
status 0 'stop: exit 0' as_unit stop
like "$out" '; 2 sessions ended$' 'ends both'
is "$(ours)" 0 'and leaves no rule'
proxy_end three
wait $mute

# The node service ---------------------------------------------------------------------------------

unit=/usr/lib/systemd/system/asperanoded.service
if on dmz test -x /usr/bin/systemd-analyze; then
  # How exposed they are, by systemd's own measure, 0 to 10.
  exposure() { on dmz systemd-analyze security --offline=yes --no-pager "$1" | sed -n 's/.*exposure level for [^ ]*: \([0-9]*\)\.\([0-9]\).*/\1\2/p'; }
  units=/usr/lib/systemd/system
  for each in asperanoded asp-lease@ asp-name@ asp-redis@; do
    ok "$each.service is exposed by less than 2.0" test "$(exposure $units/$each.service)" -lt 20
  done
  for each in asp-lease asp-name asp-redis; do
    status 0 "the units of $each are valid" on dmz env SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no "$units/$each@.service" "$units/$each.socket"
    is "$(grep asp- <<< "$err")" '' 'without a warning'
  done
  status 0 'the unit of the node service is valid' on dmz env SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no $unit
  is "$(grep asperanoded <<< "$err")" '' 'without a warning'
else
  skip 'systemd is not installed' 'the unit of the node service is valid'
fi
pid_file=$(lab_root dmz)/run/sallyport/asperanoded.pid
ok 'it does not run: nobody has enabled it' test ! -e "$pid_file"
node() { lab_pids dmz asperanoded; }
lab_config <<< '<CONF version="2"><server><enable_http>true</enable_http><proxy><enabled>true</enabled><allowed_destinations>203.0.113.0/24</allowed_destinations><authentication>false</authentication></proxy></server></CONF>'
status 0 'start, with the forward proxy: exit 0' service start
like "$out" 'asperanoded: started$' 'starts the node service'
first=$(node)
is "$(on dmz curl -s http://127.0.0.1:9091/ping)" '{"status":"ok"}' 'which answers'
status 0 'start again: exit 0' service start
is "$(node)" "$first" 'changes nothing'
status 0 'status: exit 0' service status
like "$out" 'node=running' 'says that it runs'
status 0 'reload: exit 0' service reload
ok 'reaches it' wait_until 5 proxy_log_has 'asperanoded.*LOG Read .* again'
on_exec dmz timeout 60 sh -c 'while :; do flock -n -s /run/sallyport/asperanoded.pid true; done' 2> /dev/null &
watching=$!
status 0 'restart, while somebody looks whether it runs: exit 0' service restart
kill "$watching" && wait "$watching" 2> /dev/null
ok 'is another process' test "$(node)" != "$first" -a -n "$(node)"
kill -KILL "$(node)"
status 3 'status, when it was killed: exit 3' service status
status 0 'start: exit 0' service start
status 0 'stop: exit 0' service stop
is "$(node)" '' 'ends it'
# What root ends is what it has started, whatever the pid file says.
service start > /dev/null
service_pid=$(node)
on_exec dmz sleep 1000 &
bystander=$!
on_exec dmz -u bear bash -c 'exec -a asperanoded sleep 1000' &
namesake=$!
number_of() { sed -n 's/^NSpid:.*\t//p' "/proc/$1/status"; }
kept=$(cat "$pid_file")
for pid in "$(number_of $bystander)" "$(number_of $namesake)" 1 0 -1 '' "1 $(number_of $bystander)" 'x$(touch /run/touched)'; do
  echo "$pid" > "$pid_file"
  status 71 "pid file with '$pid', stop: exit 71" service stop
  like "$err" 'asperanoded runs, but .* does not name it' 'says so'
done
ok 'the bystander lives' kill -0 $bystander
ok 'and who only has its name' kill -0 $namesake
is "$(node)" "$service_pid" 'and the service'
nok 'nothing was run' test -e "$(lab_root dmz)/run/touched"
echo "$kept" > "$pid_file"
kill $bystander $namesake
is "$(for file in /proc/"$service_pid"/fdinfo/*; do
  case $(readlink "/proc/$service_pid/fd/${file##*/}") in */run/sallyport/*) sed -n 's/^flags:.*\([0-9]\)$/\1/p' "$file" ;; esac
done | sort -u)" 0 'the service has no file there open for writing'
status 0 'stop: exit 0' service stop
is "$(lab_pids dmz asp-lease)" '' 'asp-lease is gone, too'

# The node service has no rights, asp-lease few.
service start > /dev/null
for set in CapInh CapPrm CapEff CapAmb; do
  is "$(sed -n "s/^$set:\t//p" "/proc/$(node)/status")" 0000000000000000 "the service has no capabilities: $set"
done
is "$(sed -n 's/^NoNewPrivs:\t//p' "/proc/$(node)/status")" 1 'and cannot get any'
service stop > /dev/null
granted() { on dmz sed -n 's/^CapabilityBoundingSet=//p' "$1" | tr ' ' '\n' | sed 's/CAP_/+/' | tr '\nA-Z' ',a-z' | sed 's/,$//'; }
lease_unit=/usr/lib/systemd/system/asp-lease@.service
# CHOWN: the socket is systemd's there.
on_exec dmz setpriv --clear-groups --bounding-set="-all,$(granted $lease_unit),+chown" --no-new-privs "$LAB_PREFIX/libexec/asp-lease" < /dev/null &
door=$!
ok '(asp-lease waits, with the rights that its unit has)' wait_until 10 on dmz test -S /run/sallyport/lease.sock
on dmz "$LAB_PREFIX/bin/asperaproxy" start > /dev/null
status 0 'what root prepares' on dmz "$LAB_PREFIX/bin/asperanoded" -p
is "$(on dmz stat -c '%U:%G %a' /run/sallyport/node_tls)" 'root:sallyport-node 640' 'is for the service alone'
status 77 'nobody else starts the service' on dmz -u bear "$LAB_PREFIX/bin/asperanoded"
status 77 'nor prepares it' on dmz -u bear "$LAB_PREFIX/bin/asperanoded" -p
on_exec dmz setpriv --reuid sallyport-node --regid sallyport-node --clear-groups --bounding-set='-all,+net_bind_service' \
  --inh-caps='+net_bind_service' --ambient-caps='+net_bind_service' --no-new-privs "$LAB_PREFIX/bin/asperanoded" &
ok 'it starts with the rights that its unit has' wait_until 10 on dmz curl -s -o /dev/null http://127.0.0.1:9091/ping
is "$(sed -n 's/^Cap\(Prm\|Eff\|Amb\):\t//p' "/proc/$(node)/status" | sort -u)" 0000000000000000 'and gives up the one for its ports'
like "$(on outside curl -s -H 'Content-Type: application/json' -d "{\"destination\":\"$INSIDE1\"}" "http://$SQUASH:9091/proxy/leases")" '"id":"' 'and leases'
kill "$(node)" "$door"
ok 'both end' wait_until 5 ended "$(node)"
status 0 'stop: exit 0' service stop
lab_config <<< "$config"
on dmz sh -c 'mkdir /run/sbin && cp -a /usr/sbin/. /run/sbin/ && rm /run/sbin/*tables* && mount --bind /run/sbin /usr/sbin'
status 71 'start on a host without iptables: exit 71' service start
is "$out$err" 'asperaproxy: iptables is not installed: apt-get install iptables  # dnf install iptables-nft' 'says what to do'
like "$(state)" '^stopped=yes ' 'and the proxy stays stopped'
on dmz umount /usr/sbin
status 0 'start when it is there: exit 0' service start
status 2 'the init script refuses what it does not know: exit 2' service bogus
on dmz mv "$LAB_PREFIX/bin/asperaproxy" "$LAB_PREFIX/bin/away"
status 5 'without the suite: exit 5' service start
status 0 'but there is nothing to stop then' service stop
done_testing
