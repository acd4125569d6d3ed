#!/usr/bin/env bash
# Two proxies that both work: a balancer in front with nftables, and one address
# for each in the DNS.
. "${0%/*}/../lib/tap.sh"
. "${0%/*}/../lib/lab.sh"
. "${0%/*}/../lib/proxy.sh"
. "${0%/*}/../lib/cluster.sh"
. "${0%/*}/../lib/balancer.sh"

lab_up dmz dmz2 balancer outside outside2 inside1

# --- one address for each, in the DNS ---

for node in dmz dmz2; do
  balancer_config | lab_config "$node"
  on "$node" "$LAB_ASPERAPROXY" start > /dev/null
done
printf '%s proxy.example.com\n%s proxy.example.com\n' "$DMZ" "$DMZ2" >> "$(lab_root outside)/etc/hosts"
printf '%s proxy.example.com\n%s proxy.example.com\n' "$DMZ2" "$DMZ" >> "$(lab_root outside2)/etc/hosts"
on outside -u bear bash -c 'head -c 20M /dev/urandom > file'
sum=$(on outside sha256sum /home/bear/file | cut -d ' ' -f 1)
whole() { is "$(on inside1 sha256sum "$1" | cut -d ' ' -f 1)" "$sum" "$2"; }
sessions_of() { lab_log "$1" | grep -c 'Received connection request'; }
hears() { cat "$(lab_root "$1")/home/bear/.ssh/known_hosts" | sed "s/^[^ ]*/[proxy.example.com]:33001,[$BALANCER]:33001/" | head -n 1 >> "$(lab_root "$1")/home/bear/.ssh/known_hosts"; }
hears outside; hears outside2
status 0 'DNS: a transfer to a name of two proxies' on outside -u bear asp-cp -P 33001 file bear@proxy.example.com:/tmp/dns
whole /tmp/dns 'arrives'
is "$(sessions_of dmz) $(sessions_of dmz2)" '1 0' 'by the first address that the client was told'
# Without it ssh tries an address that is dead for two minutes.
echo '  ConnectTimeout 2' >> "$(lab_root outside)/home/bear/.ssh/config"
lab_link dmz wan down
status 0 'the proxy of one address dead, a transfer goes to the other' on outside -u bear asp-cp -R 5 -P 33001 file bear@proxy.example.com:/tmp/dns2
whole /tmp/dns2 'and arrives'
lab_link dmz wan up

# --- a balancer ---

balancer_up
ok 'both nodes take clients' wait_until 10 balancer_takes "$DMZ_SYNC" "$DMZ2_SYNC"
status 0 'its rules are as nft wants them' on balancer sh -c "$BALANCER_PROGRAM rules | nft -c -f -"

# Which node each of many clients reaches, by TCP and by UDP: addresses of outside's own.
clients=$(seq 70 101)
for n in $clients; do echo "address add 198.51.100.$n/24 dev wan"; done | on outside ip -batch -
for node in dmz dmz2; do
  lab_capture "$node" sync "dst port 33001 and (udp or tcp[tcpflags] == tcp-syn) and not src $BALANCER_SYNC" "$TMPDIR/$node.cap"
  declare "capture_$node=$LAB_CAPTURE"
done
visit() {  # all clients: a TCP connection each, and UDP twice
  on outside python3 - "$BALANCER" $clients << 'END'
import socket, sys
for n in sys.argv[2:]:
    with socket.socket() as tcp:
        tcp.settimeout(20)  # a client that moves waits some seconds
        tcp.bind((f"198.51.100.{n}", 0))
        tcp.connect((sys.argv[1], 33001))
        tcp.recv(4)
    for _ in range(2):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind((f"198.51.100.{n}", 0))
            udp.sendto(b"x", (sys.argv[1], 33001))
END
}
# seen NODE PROTOCOL: which clients' packets came there.
# A file that was emptied under tcpdump begins with a hole.
seen() { tr -d '\0' < "$TMPDIR/$1.cap" | grep -E "$2" | sed -n 's/.*IP \(198\.51\.100\.[0-9]*\)\..*/\1/p' | sort -u; }
visit
all_seen() { [ "$({ seen dmz UDP; seen dmz2 UDP; } | sort -u | wc -l)" = 32 ]; }
wait_until 5 all_seen
is "$({ seen dmz Flags; seen dmz2 Flags; } | wc -l)" 32 'the TCP of each client reaches one node'
is "$(seen dmz UDP)" "$(seen dmz Flags)" 'its UDP the same'
is "$(seen dmz2 UDP)" "$(seen dmz2 Flags)" 'on both'
ok 'and both have some' test "$(seen dmz Flags | wc -l)" -gt 5 -a "$(seen dmz2 Flags | wc -l)" -gt 5
first=$(seen dmz Flags)
status 0 'a transfer through it' on outside -u bear asp-cp -P 33001 file "bear@$BALANCER:/tmp/balanced"
whole /tmp/balanced 'arrives'
like "$(lab_log dmz; lab_log dmz2)" "Setup UDP forwarding between $OUTSIDE:" 'the proxy sees the client'"'"'s own address'

# --- drained: new clients go elsewhere; those who are there stay ---

balancer drain "$DMZ2_SYNC"
ok 'drained: one node takes clients' wait_until 5 balancer_drained "$DMZ2_SYNC"
for node in dmz dmz2; do : > "$TMPDIR/$node.cap"; done
visit
wait_until 5 eval '[ "$(seen dmz UDP | wc -l)" = 32 ]'
is "$(seen dmz Flags | wc -l) $(seen dmz2 Flags | wc -l)" '32 0' 'all new sessions go to the other'
is "$(seen dmz UDP | wc -l) $(seen dmz2 UDP | wc -l)" '32 0' 'and their UDP'
balancer undrain "$DMZ2_SYNC"
ok 'undrained it takes clients' wait_until 5 balancer_takes "$DMZ_SYNC" "$DMZ2_SYNC"
on outside -u bear bash -c 'head -c 40M /dev/urandom > long'
on_exec outside -u bear asp-cp -l 60M -P 33001 long "bear@$BALANCER:/tmp/long" &
long=$!
busy() { [ "$(on dmz ls /run/sallyport/sessions | wc -l)" = 1 ] && [ -n "$(on dmz conntrack -L -m 0x8000000/0x8000000 2> /dev/null)" ]; }
busy2() { [ "$(on dmz2 ls /run/sallyport/sessions | wc -l)" = 1 ] && [ -n "$(on dmz2 conntrack -L -m 0x8000000/0x8000000 2> /dev/null)" ]; }
wait_until 10 eval 'busy || busy2'
if busy; then node=$DMZ_SYNC; else node=$DMZ2_SYNC; fi
balancer drain "$node"
wait_until 5 balancer_drained "$node"
wait "$long"
is "$?" 0 'a transfer that runs on a node ends well after its drain'
is "$(on inside1 sha256sum /tmp/long | cut -d ' ' -f 1)" "$(on outside sha256sum /home/bear/long | cut -d ' ' -f 1)" 'whole'
balancer undrain "$node"
wait_until 5 balancer_takes "$DMZ_SYNC" "$DMZ2_SYNC"

# --- a node dies ---

lab_capture_end "$capture_dmz"
cluster_kill dmz
ok 'a node that died takes no clients' wait_until 10 balancer_gone "$DMZ_SYNC"
: > "$TMPDIR/dmz2.cap"
visit
wait_until 5 eval '[ "$(seen dmz2 UDP | wc -l)" = 32 ]'
is "$(seen dmz2 Flags | wc -l) $(seen dmz2 UDP | wc -l)" '32 32' 'all clients reach the other, TCP and UDP'
status 0 'a transfer' on outside -u bear asp-cp -P 33001 file "bear@$BALANCER:/tmp/survived"
whole /tmp/survived 'arrives'
ok 'the node had been some clients'"'"' before' test -n "$first"
done_testing
