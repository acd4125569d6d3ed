#!/usr/bin/env bash
# Two proxies that both work: one address for each in the DNS, and a balancer in front
# with nftables. Behind it they are upgraded one after the other, while people transfer
# one file after the other: none fails. In the end one dies.
. "${0%/*}/../lib/tap.sh"
. "${0%/*}/../lib/lab.sh"
. "${0%/*}/../lib/proxy.sh"
. "${0%/*}/../lib/cluster.sh"
. "${0%/*}/../lib/balancer.sh"

lab_up dmz dmz2 balancer outside outside2 inside1
for node in dmz dmz2; do
  balancer_config | lab_config "$node"
  on "$node" "$LAB_ASPERAPROXY" start > /dev/null
done
# Both names of the proxies, for both users of both clients.
for client in outside outside2; do
  root=$(lab_root "$client")
  key=$(head -n 1 "$root/home/bear/.ssh/known_hosts" | cut -d ' ' -f 2-)
  for user in bear bobcat; do
    echo "[proxy.example.com]:33001,[$BALANCER]:33001 $key" >> "$root/home/$user/.ssh/known_hosts"
    on "$client" -u "$user" bash -c 'head -c 2M /dev/urandom > file'
  done
done
sum=$(on outside sha256sum /home/bear/file | cut -d ' ' -f 1)
whole() { is "$(on inside1 sha256sum "$1" | cut -d ' ' -f 1)" "$sum" "$2"; }
sessions_of() { lab_log "$1" | grep -c 'Received connection request'; }

# --- one address for each, in the DNS ---

printf '%s proxy.example.com\n%s proxy.example.com\n' "$DMZ" "$DMZ2" >> "$(lab_root outside)/etc/hosts"
status 0 'DNS: a transfer to a name of two proxies' on outside -u bear asp-cp -P 33001 file bear@proxy.example.com:/tmp/dns
whole /tmp/dns 'arrives'
is "$(sessions_of dmz) $(sessions_of dmz2)" '1 0' 'by the first address that the client was told'
# Without it ssh tries an address that is dead for two minutes.
echo '  ConnectTimeout 1' >> "$(lab_root outside)/home/bear/.ssh/config"
lab_link dmz wan down
status 0 'the proxy of one address dead, a transfer goes to the other' on outside -u bear asp-cp -R 5 -P 33001 file bear@proxy.example.com:/tmp/dns2
whole /tmp/dns2 'and arrives'
lab_link dmz wan up
sed -i '/ConnectTimeout/d' "$(lab_root outside)/home/bear/.ssh/config"

# --- a balancer ---

balancer_up
ok 'both nodes take clients' wait_until 10 balancer_takes "$DMZ_SYNC" "$DMZ2_SYNC"
status 0 'its rules are as nft wants them' on balancer sh -c "$BALANCER_PROGRAM rules | nft -c -f -"

# To sshd it is one who calls all day and never logs in. That is found out after 20
# seconds; here, so that nobody has to wait, at the first time.
penalties=$(sshd_where_known 'PerSourcePenalties noauth:60 min:1')
if [ -n "$penalties" ]; then
  file=$(lab_root dmz)/etc/ssh/sshd_config.d/00-penalties.conf
  echo "$penalties" > "$file"
  on dmz pkill -HUP -F /run/sshd.pid
  shut_out() { lab_log dmz | grep -q "drop connection .* from \\[$BALANCER_SYNC\\].* penalty"; }
  ok 'sshd of a node refuses the balancer, who never logs in' wait_until 10 shut_out
  nok 'the node takes clients nevertheless' wait_until 3 balancer_gone "$DMZ_SYNC"
  rm "$file"
  on dmz pkill -HUP -F /run/sshd.pid
fi

# Which node each of many clients reaches, by TCP and by UDP: addresses of outside's own.
clients=$(seq 70 99) moved=none
for n in $clients; do echo "address add 198.51.100.$n/24 dev wan"; done | on outside ip -batch -
for node in dmz dmz2; do
  lab_capture "$node" sync "dst port 33001 and (udp or tcp[tcpflags] == tcp-syn) and not src $BALANCER_SYNC" "$TMPDIR/$node.cap"
  declare "capture_$node=$LAB_CAPTURE"
done
visit() {  # all clients: a TCP connection each, and UDP twice
  on outside python3 - "$BALANCER" $clients << 'END_OF_PYTHON'
import socket, sys
for n in sys.argv[2:]:
    with socket.socket() as tcp:
        tcp.settimeout(20)  # a client that moves waits some seconds
        tcp.bind((f"198.51.100.{n}", 0))
        tcp.connect((sys.argv[1], 33001))
        tcp.recv(4)
END_OF_PYTHON
  knock
}
knock() {  # their UDP alone
  on outside python3 - "$BALANCER" $clients << 'END_OF_PYTHON'
import socket, sys
for n in sys.argv[2:]:
    for _ in range(2):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind((f"198.51.100.{n}", 0))
            udp.sendto(b"x", (sys.argv[1], 33001))
END_OF_PYTHON
}
# seen NODE PROTOCOL: which of these clients' packets came there.
# A file that was emptied under tcpdump begins with a hole.
seen() { tr -d '\0' < "$TMPDIR/$1.cap" | grep -E "$2" | sed -n 's/.*IP \(198\.51\.100\.[789][0-9]\)\..*/\1/p' | grep -vxF "$moved" | sort -u; }
unsee() { : > "$TMPDIR/dmz.cap"; : > "$TMPDIR/dmz2.cap"; }
# Where others transfer meanwhile a datagram may be lost: then it is sent again.
all_seen() {
  [ "$({ seen dmz UDP; seen dmz2 UDP; } | sort -u | wc -l)" = "$(wc -w <<< $clients)" ] || { knock; false; }
}
visit
wait_until 5 all_seen
is "$({ seen dmz Flags; seen dmz2 Flags; } | wc -l)" 30 'the TCP of each client reaches one node'
is "$(seen dmz UDP)" "$(seen dmz Flags)" 'its UDP the same'
is "$(seen dmz2 UDP)" "$(seen dmz2 Flags)" 'on both'
ok 'and both have some' test "$(seen dmz Flags | wc -l)" -gt 5 -a "$(seen dmz2 Flags | wc -l)" -gt 5

# outside2 becomes one of those whom dmz2 serves: both nodes are to have work.
moved=$(seen dmz2 Flags | head -n 1)
clients=$(grep -vx "${moved##*.}" <<< "$clients")
on outside ip address del "$moved/24" dev wan
on outside2 ip address add "$moved/24" dev wan
on outside2 ip route add "$BALANCER" dev wan src "$moved"
on balancer ip neighbour flush dev wan

# --- the nodes are upgraded: no transfer fails ---

# Each of them sends files, one after the other, without trying again, until told.
for client in outside outside2; do
  for user in bear bobcat; do
    on_exec "$client" -u "$user" bash -c '
      n=0
      until [ -e ~/enough ]; do
        n=$((n + 1))
        asp-cp -l 20M -P 33001 file "$USER@$0:/tmp/$1-$USER-$n" 2>> ~/errors || echo "$n" >> ~/failed
        echo "$n" > ~/count
      done' "$BALANCER" "$client" &
    senders+=($!)
  done
done
counts() { for client in outside outside2; do cat "$(lab_root "$client")"/home/{bear,bobcat}/count 2> /dev/null || return; done; }
total() { counts | awk '{ n += $1 } END { print n + 0 }'; }
all_sending() { [ "$(counts | wc -l)" = 4 ]; }
ok 'four people transfer' wait_until 40 all_sending
like "$(lab_log dmz; lab_log dmz2)" "Setup UDP forwarding between $OUTSIDE:" 'the proxy sees the client'"'"'s own address'

further() { [ "$(total)" -ge $((done_so_far + 4)) ]; }
# Nobody is there, nor about to log in: a drain would refuse him.
idle() {
  on "$1" "$LAB_ASPERAPROXY" status | grep -qx sessions=0 && [ -z "$(on "$1" ls /run/sallyport/dialers)" ] &&
    [ -z "$(on "$1" ss -Htn state established "( sport = :33001 and not dst $BALANCER_SYNC )")" ]
}
busy() { [ -n "$(on "$1" ls /run/sallyport/sessions)" ] && [ -n "$(on "$1" conntrack -L -m 0x8000000/0x8000000 2> /dev/null)" ]; }
upgrade() {  # NODE ITS-ADDRESS
  local node=$1 address=$2 before
  ok "$node: a transfer runs on it" wait_until 20 busy "$node"
  balancer drain "$address"
  ok "$node: the balancer gives it no new clients" wait_until 10 balancer_drained "$address"
  done_so_far=$(total)
  unsee
  visit &
  visitors=$!
  ok "$node: its sessions end by themselves" wait_until 30 idle "$node"
  on "$node" "$LAB_ASPERAPROXY" drain > /dev/null
  before=$(on "$node" stat -c %i "$LAB_PREFIX/bin/aspshell")
  status 0 "$node: a new version is installed" on "$node" make -s -C "$LAB_SOURCE" install "BUILD=$LAB_BUILD" "PREFIX=$LAB_PREFIX" DESTDIR=
  nok "$node: it is another file" test "$(on "$node" stat -c %i "$LAB_PREFIX/bin/aspshell")" = "$before"
  wait "$visitors"
  ok "$node: meanwhile the other serves everybody" wait_until 30 further
  ok "$node: and gets all that new clients send" wait_until 5 all_seen
  is "$(seen "$node" Flags) $(seen "$node" UDP)" ' ' "$node: of which nothing comes here, neither TCP nor UDP"
  on "$node" "$LAB_ASPERAPROXY" undrain > /dev/null
  balancer undrain "$address"
  ok "$node: clients come again" wait_until 10 balancer_takes "$DMZ_SYNC" "$DMZ2_SYNC"
}
upgrade dmz "$DMZ_SYNC"
upgrade dmz2 "$DMZ2_SYNC"
done_so_far=$(total)
ok 'transfers go on' wait_until 30 further
for client in outside outside2; do touch "$(lab_root "$client")"/home/{bear,bobcat}/enough; done
wait "${senders[@]}"
diag "$(total) transfers"
for client in outside outside2; do
  for user in bear bobcat; do
    home=$(lab_root "$client")/home/$user
    is "$(cat "$home/failed" "$home/errors" 2> /dev/null)" '' "$client, $user: none failed"
    count=$(cat "$home/count")
    is "$(on inside1 sh -c "sha256sum /tmp/$client-$user-*" | cut -d ' ' -f 1 | sort | uniq -c | xargs)" \
      "$count $(sha256sum < "$home/file" | cut -d ' ' -f 1)" 'and all are whole'
  done
done
for node in dmz dmz2; do
  ok "$node served some of them" test "$(lab_log "$node" | grep -c 'Connection closed (EOF)')" -gt 0
done

# --- a node dies ---

lab_capture_end "$capture_dmz"
cluster_kill dmz
ok 'a node that died takes no clients' wait_until 10 balancer_gone "$DMZ_SYNC"
unsee
visit
wait_until 5 all_seen
is "$(seen dmz2 Flags | wc -l) $(seen dmz2 UDP | wc -l)" '29 29' 'all clients reach the other, TCP and UDP'
status 0 'a transfer' on outside -u bear asp-cp -P 33001 file "bear@$BALANCER:/tmp/survived"
whole /tmp/survived 'arrives'
done_testing
