#!/bin/bash
# asperaproxy check, the forward proxy: each fault planted alone is found, by its own
# line, and no other line changes.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"

lab_up dmz
etc=$LAB_PREFIX/etc
conf=$etc/aspera.conf
users=$etc/node_users.conf
bin=$LAB_PREFIX/bin
node=sallyport-node
lab_config << END
<CONF version="2"><server>
<enable_http>false</enable_http>
<cert_file>$etc/cert.pem</cert_file><key_file>$etc/key.pem</key_file>
<proxy><enabled>true</enabled>
<denied_destinations>192.0.2.0/24 203.0.113.0/24 198.51.100.0/24 2001:db8::/32</denied_destinations>
</proxy></server></CONF>
END
# certificate FROM UNTIL: in the words of date(1).
certificate() {
  on dmz openssl req -x509 -new -newkey ed25519 -noenc -subj /CN=dmz -days 1 -keyout $etc/key.pem -out $etc/any.pem 2> /dev/null
  on dmz openssl req -new -key $etc/key.pem -subj /CN=dmz -out $etc/request.pem
  on dmz sh -c "rm -rf /root/ca; mkdir -p /root/ca; : > /root/ca/index; echo 01 > /root/ca/serial
    printf '[ca]\ndefault_ca=c\n[c]\nnew_certs_dir=/root/ca\ndatabase=/root/ca/index\nserial=/root/ca/serial\ndefault_md=default\npolicy=p\n[p]\ncommonName=supplied\n' > /root/ca/conf
    openssl ca -batch -config /root/ca/conf -selfsign -keyfile $etc/key.pem -in $etc/request.pem -out $etc/cert.pem -notext \
      -startdate $(date -u -d "$1" +%Y%m%d%H%M%SZ) -enddate $(date -u -d "$2" +%Y%m%d%H%M%SZ)" > "$TMPDIR/ca.log" 2>&1 || diag "$(cat "$TMPDIR/ca.log")"
  on dmz chmod 600 $etc/key.pem
}
certificate '1 day ago' '90 days'
on dmz useradd -M transfer_user
on dmz "$bin/asnodeadmin" -au node_api_user -x transfer_user -p - <<< secret 2> /dev/null
# listen ACCOUNT KIND,ADDRESS,PORT...: somebody does, until `hush`.
listen() {
  : > "$TMPDIR/listening"
  on_exec dmz -u "$1" python3 -c '
import socket, sys, time
keep = []
for word in sys.argv[1:]:
    kind, host, port = word.split(",")
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((host, int(port)))
    if kind == "tcp": s.listen()
    keep.append(s)
print("listening", flush=True)
time.sleep(600)' "${@:2}" > "$TMPDIR/listening" &
  listener=$!
  wait_until 10 grep -q listening "$TMPDIR/listening" || diag "could not listen: ${*:2}"
}
hush() {
  kill "$listener" && wait "$listener" 2> /dev/null
}
on_exec dmz "$LAB_PREFIX/libexec/asp-lease" > /dev/null 2>&1 < /dev/null &
wait_until 10 on dmz test -S /run/sallyport/lease.sock
service_up() {
  on_exec dmz "$bin/asperanoded" > "$TMPDIR/service" 2>&1 &
  service=$!
  wait_until 20 lab_listens dmz 9092 || diag "$(cat "$TMPDIR/service")"
}
service_down() {
  kill "$service" && wait "$service" 2> /dev/null
  wait_until 10 lab_silent dmz 9092
}
service_up
on dmz "$bin/asperaproxy" start > /dev/null
on dmz sysctl -q -w 'net.ipv4.ip_local_port_range=32768 60999' net.ipv4.ip_local_reserved_ports=

check() { on dmz timeout 60 "$bin/asperaproxy" check "$@"; }
steady() { grep -v ' clock: ' | sed -E 's/: [0-9]+ of [0-9]+ flows \(0 %\)/: few flows/; s/[0-9]+ are of sessions/some are of sessions/'; }
# Of others those stay that cost little.
lines() { check --without iptables,ip6tables,rules,forward,udp_in,tcp_in,sudo,sshd,no_restricted_shell,ssh_tunneling,sftp,grants,writable,private_keys,not_judged | steady; }
ours='config|lease_nftables|node_account|node_lease|node_users|lease_ports|certificate|node_service|plain_http|destinations|lease_packets'
well=$(lines)
is "$(grep -E "^[a-zA-Z]+ +($ours): " <<< "$well" | grep -v '^ok ')" '' 'all is well'
is "$(grep -oE " ($ours):" <<< "$well" | uniq | xargs)" \
  'config: lease_packets: lease_nftables: node_account: node_lease: node_users: lease_ports: certificate: node_service: plain_http: destinations:' 'each condition is looked at'
like "$well" "ok    config: $conf is valid; the forward proxy alone is on" 'the reverse proxy may be off'
before=$(on dmz nft list ruleset 2> /dev/null)
check > /dev/null
is "$(on dmz nft list ruleset 2> /dev/null)" "$before" 'to check changes nothing'

# fault NAMES GRADE PATTERN PLANT CURE: as in doctor.t.
fault() {
  local names=$1 grade=$2 pattern=$3 found first=${1%%|*}
  on dmz sh -c "$4" > /dev/null || diag "could not plant: $4"
  capture lines
  found=$(grep -E "^$grade +$first: " <<< "$out")
  like "$found" "$pattern.* - .+" "$first: $pattern" || diag "$(grep " $first: " <<< "$out")"
  is "$(diff <(grep -vE "^[a-zA-Z]+ +($names): " <<< "$well") <(grep -vE "^[a-zA-Z]+ +($names): " <<< "$out"))" '' '  and it alone' || diag "$4"
  on dmz sh -c "$5" > /dev/null || diag "could not cure: $5"
}
# fine WHAT PLANT CURE: no fault at all.
fine() {
  on dmz sh -c "$2" > /dev/null || diag "could not plant: $2"
  is "$(diff <(sed 's/node_users: .*/node_users/; s/\(destinations\|node_service\): .*/\1/' <<< "$well") <(lines | sed 's/node_users: .*/node_users/; s/\(destinations\|node_service\): .*/\1/'))" '' "no fault: $1"
  on dmz sh -c "$3" > /dev/null || diag "could not cure: $3"
}
keep="cp -p $conf /root/keep" back="cp -p /root/keep $conf"
on dmz sh -c "$keep"

fault 'lease_nftables|nftables' FAIL 'run /usr/sbin/nft: No such file' 'mv /usr/sbin/nft /usr/sbin/away' 'mv /usr/sbin/away /usr/sbin/nft'
capture on dmz setpriv --bounding-set=-net_admin "$bin/asperaproxy" check
like "$out" $'\nFAIL  lease_nftables: ' 'lease_nftables: a container without rights'

fault 'node_account|node_users|node_lease' FAIL "there is no account $node" "cp -p /etc/passwd /root/; sed -i /^$node/d /etc/passwd" 'cp -p /root/passwd /etc/passwd'
fault node_account FAIL 'in other groups' "gpasswd -a $node adm" "gpasswd -d $node adm"
fault 'node_account' FAIL 'is root' "sed -i 's/^$node:x:[0-9]*:/$node:x:0:/' /etc/passwd" 'cp -p /root/passwd /etc/passwd'

sudoers=/etc/sudoers.d/sallyport
fault node_lease FAIL "$node cannot connect to /run/sallyport/lease.sock: No such file" 'mv /run/sallyport/lease.sock /root/' 'mv /root/lease.sock /run/sallyport/'
fault node_lease FAIL "$node cannot connect to /run/sallyport/lease.sock: Permission denied" 'chmod 600 /run/sallyport/lease.sock' 'chmod 660 /run/sallyport/lease.sock'
fault node_lease FAIL 'asp-lease is missing' "mv $LAB_PREFIX/libexec/asp-lease /root/" "mv /root/asp-lease $LAB_PREFIX/libexec/"
fault 'node_lease|writable' FAIL 'others than root can write to .*asp-lease' "chmod g+w $LAB_PREFIX/libexec/asp-lease" "chmod g-w $LAB_PREFIX/libexec/asp-lease"
fault node_lease warn 'may run by sudo: .*/bin/ls' "echo '$node ALL = (root) NOPASSWD: /bin/ls' > /etc/sudoers.d/zz; chmod 440 /etc/sudoers.d/zz" 'rm /etc/sudoers.d/zz'

on dmz cp -p $users /root/users
mend="cp -p /root/users $users"
fault node_users FAIL 'no user of the node API' "rm $users" "$mend"
fault node_users FAIL 'no user of the node API' "echo '# none' > $users" "$mend"
fault node_users FAIL "$users:3: not name:hash" "echo half >> $users" "$mend"
fault 'node_users|writable' FAIL 'writable by root alone' "chmod g+w $users" "chmod g-w $users"
fault node_users FAIL "$node cannot read" "chgrp root $users" "chgrp $node $users"
fault node_users FAIL 'everybody on this host can read' "chmod 644 $users" "chmod 640 $users"
fault node_users warn 'the account transfer_user, which is gone' 'sed -i /^transfer_user/d /etc/passwd' 'cp -p /root/passwd /etc/passwd'
fault node_users warn '<authentication> is off' "sed -i 's|<enabled>|<authentication>false</authentication>&|' $conf" "$back"
fine 'two users' "$bin/asnodeadmin -au second -x transfer_user -p x" "$mend"

range='sysctl -qw net.ipv4.ip_local_port_range'
fault lease_ports warn '9000 to 10000 are also used by the kernel' "$range='9000 60999'" "$range='32768 60999'"
fine 'a range that is reserved' "$range='9000 60999'; sysctl -qw net.ipv4.ip_local_reserved_ports=8000-10000" "$range='32768 60999'; sysctl -qw net.ipv4.ip_local_reserved_ports="
listen root tcp,127.0.0.1,5432 udp,203.0.113.1,7777 tcp,0.0.0.0,10001 udp,0.0.0.0,4999
fault lease_ports warn 'on ports of the range: 5432, 7777' true true
unlike "$(grep lease_ports: <<< "$out")" '10001|9092' 'not of those beside it, nor of the node service'
hush
fault 'lease_ports|config|forward|udp_in|lease_packets|keyfile|host_keys|servers' FAIL 'rules of the reverse proxy have UDP ports of the range: 6000' \
  "sed -i 's|<proxy>|<rproxy><enabled>true</enabled><rules><rule><host>203.0.113.10</host><keyfile>/k</keyfile><proxy_port>6000</proxy_port></rule></rules></rproxy>&|' $conf" "$back"

service_down
fault node_service FAIL 'nobody listens on TCP 9092s for the node API' true true
listen root tcp,127.0.0.1,9092
fault 'node_service' FAIL 'nobody listens on TCP 203.0.113.1:9092s' "sed -i 's|<enable_http>|<listen>203.0.113.1:9092s</listen>&|' $conf" "$back"
hush
service_up
fault 'node_service|lease_packets|certificate|lease_ports' FAIL 'has no port' "sed -i 's|<enable_http>|<enable_https>false</enable_https>&|' $conf" "$back"
fine 'it listens on each address, and so on that one' "sed -i 's|<enable_http>|<listen>203.0.113.1:9092s</listen>&|' $conf" "$back"
fault 'plain_http|node_service|lease_packets' warn 'without TLS on port 9091' "sed -i 's|<enable_http>false|<enable_http>true|' $conf" "$back"
listen root tcp,127.0.0.1,9091
on dmz sed -i 's|<enable_http>|<listen>127.0.0.1:9091,9092s</listen>&|' $conf
like "$(lines)" 'ok    plain_http: ' 'no fault: HTTP on loopback alone'
on dmz sh -c "$back"
hush

cert=$etc/cert.pem key=$etc/key.pem
on dmz cp -p $cert $key /root/
mend="cp -p /root/cert.pem $cert; cp -p /root/key.pem $key"
fault certificate FAIL "$cert is missing" "rm $cert" "$mend"
fault certificate FAIL "$key is missing" "rm $key" "$mend"
fault certificate FAIL 'has no certificate that can be read' "echo x > $cert" "$mend"
fault certificate FAIL 'can read the private key' "chmod 644 $key" "$mend"
fault 'certificate|writable' FAIL "does not belong to root" "chown $node $key" "chown root $key; $mend"
certificate '40 days ago' '1 day ago'
fault certificate FAIL 'has expired on 20' true true
certificate '1 day' '40 days'
fault certificate FAIL 'is not valid before 20' true true
certificate '1 day ago' '29 days'
fault certificate warn 'expires on 20' true "$mend"
on dmz sh -c "sed -i '/cert_file/d' $conf"
like "$(lines)" 'ok    certificate: asperanoded makes one at its first start' 'without a certificate of its own, the service makes one'
on dmz sh -c "$back"

on dmz sed -i '/denied/d' $conf
like "$(lines)" 'ok    destinations: anywhere but private networks and those that this host is in' 'without lists: not to networks inside'
on dmz sed -i 's|<proxy>|&<allowed_destinations>0.0.0.0/0 ::/0</allowed_destinations>|' $conf
fault destinations warn 'leases may lead to networks that this host is in: .*203.0.113.0/24' true true
on dmz ip route add default via 198.51.100.10
unlike "$(lines | grep destinations:)" '198.51.100.0/24' 'not those of the way out'
on dmz ip route del default
on dmz sh -c "$back"
fine 'a list of what is allowed' "sed -i 's|<denied_.*|<allowed_destinations>2001:db8:ffff::7</allowed_destinations>|' $conf" "$back"

fault lease_packets FAIL 'to the node API, TCP 9092, are dropped by chain filter INPUT|lease_packets' 'iptables -I INPUT -p tcp --dport 9092 -j DROP' 'iptables -D INPUT 1'
fault 'lease_packets' FAIL 'of leases that arrive at UDP 5000, 10000 are dropped by table raw' 'iptables -t raw -A PREROUTING -p udp --dport 10000 -j DROP' 'iptables -t raw -F PREROUTING'
fault 'lease_packets|forward' FAIL 'of leases on their way to TCP 22, 33001 are dropped' 'iptables -I FORWARD -p tcp -j REJECT' 'iptables -D FORWARD 1'

service_down
on dmz sh -c "sed -i 's|<proxy><enabled>true|<proxy><enabled>false|' $conf"
is "$(lines | grep -E "^[a-zA-Z]+ +(${ours#config|}): ")" '' 'of a forward proxy that is off, nothing is said'
done_testing
