#!/bin/bash
# asperaproxy check, host and firewall: each fault planted alone is found, by its own line, and no
# other line changes; where packets are concerned, doctor and wire agree.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"
. "$LAB_LIB/doctor.sh"

status 0 'all is well: exit 0' check
is "$(steady <<< "$out" | grep -v '^ok    [a-z0-9_]*: ')" '' 'each line says so'
all=$out
like "$all" $'\nok    iptables: usable \(nf_tables backend, [0-9.]+\)\n' 'and what it found'
is "$(awk '{ print $2 }' <<< "$out" | uniq | xargs)" \
  'state: config: room: tools: aspshell: ip_forward: sources: redirects: conntrack: accounting: hosts: clock: selinux: syslog: cron: iptables: ip6tables: nftables: netlink: rules: forward: udp_in: tcp_in: border: client_flows: group: authorized_keys: dial_account: sudoers: sudo: sshd: ssh_port: keyfile: host_keys: logins: servers: no_restricted_shell: docroot_above_home: ssh_tunneling: docroot_unconfined: sftp: agent_forwarding: x11_forwarding: streamlocal_forwarding: environment: grants: private_keys: writable: keys_at_home: sshd_version: not_judged:' \
  'one after the other'
status 0 'JSON' check --json
is "$(python3 -c 'import json, sys; d = json.load(sys.stdin); print(len(d), sorted(d[0]), {x["grade"] for x in d if x["name"] != "clock"})' <<< "$out")" \
  "$(wc -l <<< "$all") ['cure', 'grade', 'name', 'what'] {'ok'}" 'has the same'
status 77 'not root: exit 77' on dmz -u bear "$LAB_PREFIX/bin/asperaproxy" check
before=$(on dmz sh -c 'iptables-save; ip6tables-save; nft list ruleset; find /run/sallyport /opt /etc -newer /run/crond.pid' 2> /dev/null | grep -v '^#' | sed 's/\[[0-9:]*\]//; s/packets [0-9]* bytes [0-9]*//')
check > /dev/null
is "$(on dmz sh -c 'iptables-save; ip6tables-save; nft list ruleset; find /run/sallyport /opt /etc -newer /run/crond.pid' 2> /dev/null | grep -v '^#' | sed 's/\[[0-9:]*\]//; s/packets [0-9]* bytes [0-9]*//')" "$before" 'to check changes nothing'

apart="$of_users|$security"
well=$(lines)

# The proxy and its host --------------------------------------------------------------------

fault 'state|rules' warn 'stopped since 20[0-9T:-]*Z: ' "touch $run/stopped"
fault state warn 'drained since 20[0-9T:-]*Z: ' "touch $run/drain"
unlooked='config|border|client_flows|forward|udp_in|keyfile|host_keys|ip_forward|rules|tcp_in|servers|not_judged|writable'
# Where no Match block is for the users.
fault "$unlooked" FAIL 'aspera.conf:2:1: bogus' "$keep; printf '<CONF><server><rproxy>\n<bogus/></rproxy></server></CONF>' > $conf" "$back"
fault "$unlooked" FAIL 'must belong to root' "chmod o+w $conf"
fault "config|border|client_flows|servers" FAIL 'the reverse proxy is off' "sed -i 's/<enabled>true/<enabled>false/' $conf"
on dmz sh -c "$back"
fault "$unlooked" FAIL 'has no rules' "sed -i '/<rules>/,/<.rules>/d' $conf" "$back"
fault 'config|servers' FAIL 'bear, bobcat cannot read .*aspera.conf, so each of their sessions ends' "chmod 600 $conf"
fault log_directory FAIL '/var/log/wide.*so the log is in syslog' "install -d -m 777 /var/log/wide; sed -i 's|<rules>|<log_directory>/var/log/wide</log_directory>&|' $conf" "$back"
fault log_directory FAIL '/var/log/none is not a directory' "sed -i 's|<rules>|<log_directory>/var/log/none</log_directory>&|' $conf" "$back"
fault 'tools|writable' FAIL 'can write to .*asp-dial' "chmod g+w $bin/asp-dial" "chmod g-w $bin/asp-dial"
fault tools FAIL 'asp-match is missing' "mv $bin/asp-match $bin/away" "mv $bin/away $bin/asp-match"
fault tools FAIL 'users cannot execute .*asp-reap' "chmod 700 $bin/asp-reap"
fault 'aspshell' FAIL '/bin/aspshell is missing' 'rm /usr/bin/aspshell'
fault 'aspshell' FAIL '/bin/aspshell is /.*dash' 'ln -sfn dash /usr/bin/aspshell'
fault 'ip_forward|redirects' FAIL 'net.ipv4.ip_forward is not 1' 'sysctl -qw net.ipv4.ip_forward=0' 'sysctl -qw net.ipv4.ip_forward=1'
fault ip_forward FAIL 'ipv6.conf.all.forwarding is not 1' 'sysctl -qw net.ipv6.conf.all.forwarding=0' 'sysctl -qw net.ipv6.conf.all.forwarding=1'
fault ip_forward warn 'off for the interface lan' 'sysctl -qw net.ipv4.conf.lan.forwarding=0'
fault accounting warn 'nf_conntrack_acct is not 1' 'sysctl -qw net.netfilter.nf_conntrack_acct=0'
fault sources warn 'rp_filter is 0 for .*wan' 'sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.wan.rp_filter=0'
fault redirects warn 'accept_redirects is on' 'sysctl -qw net.ipv4.conf.all.accept_redirects=1 net.ipv4.conf.wan.accept_redirects=1'
fault redirects warn 'conf/wan/send_redirects is on' 'sysctl -qw net.ipv4.conf.wan.send_redirects=1'
table=/proc/sys/net/netfilter
full() { fault 'conntrack|client_flows' "$1" "of 1000 flows \($2 %\)" "echo $3 > /root/count; echo 1000 > /root/max; mount --bind /root/count $table/nf_conntrack_count; mount --bind /root/max $table/nf_conntrack_max" "umount $table/nf_conntrack_count $table/nf_conntrack_max"; }
full warn 80 800
full warn 94 949
full FAIL 95 950
fault hosts warn 'does not say that 127.0.0.1 is localhost' "cp /etc/hosts /root/; sed -i 's/127.0.0.1.*/127.0.0.1 me # localhost/' /etc/hosts" 'cp /root/hosts /etc/hosts'
on dmz sh -c 'mount -t tmpfs lab /sys/fs && mkdir /sys/fs/selinux && echo 1 > /sys/fs/selinux/enforce'
like "$(lines)" $'\nok    selinux: enforcing' 'SELinux may enforce'
on dmz umount /sys/fs
fault syslog warn 'nobody listens on /dev/log' 'mv /dev/log /dev/gone' 'mv /dev/gone /dev/log'
cron=/etc/cron.d/sallyport
fault cron FAIL 'sallyport is missing' "mv $cron /root/cron" "mv /root/cron $cron"
fault 'cron|writable' FAIL 'others than root can write' "chmod g+w $cron" "chmod g-w $cron"
fault cron FAIL 'does not run .*asp-reap' "cp $cron /root/cron; sed -i 's/^\*/#*/' $cron" "cp /root/cron $cron"
fault cron warn 'not run every minute' "sed -i 's/^\*/5/' $cron" "cp /root/cron $cron"
fault cron FAIL 'cron does not run' 'mv /run/crond.pid /root/' 'mv /root/crond.pid /run/'
fault cron FAIL 'cron does not run' 'cp /run/crond.pid /root/; echo 1 > /run/crond.pid' 'cp /root/crond.pid /run/'

# The firewall --------------------------------------------------------------------------------

fault 'iptables|rules|forward|udp_in|tcp_in' FAIL 'run /usr/sbin/iptables: No such file' 'mv /usr/sbin/iptables /usr/sbin/away' 'mv /usr/sbin/away /usr/sbin/iptables'
fault 'ip6tables|rules|forward|udp_in|tcp_in' FAIL 'no module' \
  'printf "#!/bin/sh\n[ \$1 = --version ] && exit 0\necho no module >&2\nexit 3\n" > /root/broken; chmod 755 /root/broken; mv /usr/sbin/ip6tables /usr/sbin/away; cp /root/broken /usr/sbin/ip6tables' 'mv /usr/sbin/away /usr/sbin/ip6tables'
if on dmz iptables-legacy -S > /dev/null 2>&1; then
  fault iptables warn 'the other backend has rules' 'iptables-legacy -A FORWARD -p tcp -j ACCEPT' 'iptables-legacy -F FORWARD'
  fault iptables FAIL 'the other backend has chains of the suite' 'iptables-legacy -t nat -N SALLYPORT-DNAT-0a; iptables-legacy -t nat -N SALLYPORT; iptables-legacy -t nat -A PREROUTING -j SALLYPORT; iptables-legacy -t nat -A SALLYPORT -j SALLYPORT-DNAT-0a'
  fault 'forward|iptables' FAIL 'dropped by table legacy filter: -A FORWARD -p udp -j DROP' 'iptables-legacy -A FORWARD -p udp -j DROP' 'iptables-legacy -F FORWARD'
else
  skip 'iptables-legacy does not work here' 'iptables: the other backend has rules'
fi
capture on dmz setpriv --bounding-set=-net_admin "$LAB_PREFIX/bin/asperaproxy" check
like "$out" $'\nFAIL  netlink: ' 'netlink: a container without rights'
fault 'border|client_flows' FAIL 'not in force, so everything may be forwarded' 'nft delete table inet sallyport_border'
fault border warn 'off, so more than sessions may be forwarded' "sed -i 's|<server>|&<border>false</border>|' $conf; $bin/asperaproxy reload"
on dmz sh -c "$back"
fault 'border|host_keys|servers' warn 'closed, but aspera.conf or the routes have changed since' 'ip link add dmz9 type dummy; ip link set dmz9 up; ip route add 192.0.2.200/32 dev dmz9; '"sed -i '0,/<host>/s|<host>[^<]*|<host>192.0.2.200|' $conf" "ip link del dmz9; $back"
bounded() { fault client_flows warn "$1" "sed -i 's|<server>|&<max_flows_per_client>$2</max_flows_per_client>|; s|<rules>|$3<rules>|' $conf; ${4-$bin/asperaproxy reload}" "$back; $bin/asperaproxy reload"; }
bounded 'no limit, so one client may have all' 0 ''
bounded 'the limit of 7 is not in force' 7 '' true
bounded 'one user can fill that' 1000000 ''
bounded '500 at most for each of the 10000 sessions that a user may have, and nf_conntrack_max is' 500 '<max_sessions>20000</max_sessions>'
on dmz nft delete chain inet sallyport_border bounded
like "$(lines)" $'\nwarn  client_flows: the limit of 512 is not in force.*reload' 'a bound that was taken away'
on dmz "$bin/asp-reap"
is "$(diff <(echo "$well") <(lines))" '' 'asp-reap puts it back'
fault rules FAIL 'has removed or changed' 'iptables -t nat -F SALLYPORT' "$bin/asp-reap; $bin/asperaproxy reload"
fault rules FAIL 'has removed or changed' 'ip6tables -F FORWARD'
fault 'rules|state' FAIL 'rules of a stopped proxy' "touch $run/stopped" "rm $run/stopped"
cured

# Doctor and wire: what a firewall does to a packet of a living session, and to a new
# TCP connection.
lab_udp inside1 echo "$INSIDE1:33001" "$TMPDIR/received"
proxy_session one outside bear "$SQUASH" cat
living=$well
well=$(lines)
like "$well" 'ok    state: takes sessions; 1 living' '(a session lives)'
passes() {
  on dmz conntrack -D -p udp > /dev/null 2>&1
  on outside python3 "$LAB_LIB/udp.py" send "0.0.0.0:5001" "$SQUASH:33001" "packet" --wait-reply "$1" > /dev/null 2>&1
}
connects() { on outside timeout 0.5 bash -c ": < /dev/tcp/$SQUASH/33001" 2> /dev/null; }
ok '(a packet passes)' passes 5
# wall NAMES GRADE PATTERN PLANT CURE: with GRADE ok nothing is found. In truth, FAIL
# lets nothing pass, ok lets all pass.
wall() {
  case $1 in
    tcp_in) truth=connects ;;
    *) truth='passes 0.2'; [ "$2" != ok ] || truth='passes 3' ;;
  esac
  case $2 in
    ok)
      truth="ok the_wire:_$1 $truth"
      fine "$3" "$4" "$5"
      ;;
    warn) truth=true fault "$1" "$2" "$3" "$4" "$5" ;;
    FAIL)
      truth="nok the_wire:_$1 $truth"
      fault "$1" "$2" "$3" "$4" "$5"
      ;;
  esac
  truth=true
}
drop='chain inet fw forward'
fw() { echo "nft add table inet fw; nft add chain inet fw $1 '{ type filter hook $1 priority ${3-0}; policy $2; }'"; }
rule() { local chain=$1; shift; echo "; nft add rule inet fw $chain $*"; }
nofw='nft delete table inet fw'
wall forward FAIL 'IPv4 packets .* are dropped by table filter: -A FORWARD -p udp -j DROP' 'iptables -I FORWARD -p udp -j DROP' 'iptables -D FORWARD 1'
wall forward ok 'a rule behind ours' 'iptables -A FORWARD -j DROP' 'iptables -D FORWARD -j DROP'
wall forward ok 'a policy' 'iptables -P FORWARD DROP' 'iptables -P FORWARD ACCEPT'
wall forward ok 'a rule for TCP' 'iptables -I FORWARD -p tcp -j REJECT' 'iptables -D FORWARD 1'
wall forward ok 'a rule for another port' 'iptables -I FORWARD -p udp --dport 53 -j DROP' 'iptables -D FORWARD 1'
wall forward FAIL '-A INNER -j REJECT' 'iptables -N INNER; iptables -A INNER -p tcp -j RETURN; iptables -A INNER -j REJECT; iptables -I FORWARD -j INNER' 'iptables -D FORWARD 1; iptables -F INNER; iptables -X INNER'
wall forward warn 'may be dropped by .*-s 192.0.2.7/32 -j DROP' 'iptables -I FORWARD -s 192.0.2.7 -j DROP' 'iptables -D FORWARD 1'
wall forward FAIL 'table mangle: -A FORWARD -p udp .*--dport 33001 -j DROP' 'iptables -t mangle -A FORWARD -p udp --dport 33001 -j DROP' 'iptables -t mangle -F FORWARD'
wall forward FAIL "$drop .its policy is drop." "$(fw forward drop)" "$nofw"
wall forward FAIL "$drop .its policy is drop." "$(fw forward drop)$(rule forward ct state established,related accept)" "$nofw"
wall forward FAIL "$drop, rule with handle" "$(fw forward accept)$(rule forward ip protocol udp drop)" "$nofw"
wall forward ok 'one that lets pass what is marked' "$(fw forward drop)$(rule forward ct mark and 0x08000000 == 0x08000000 accept)" "$nofw"
wall forward ok 'one that lets pass what is translated' "$(fw forward drop)$(rule forward ct state established,related accept)$(rule forward ct status dnat accept)" "$nofw"
wall forward ok 'one that drops what is invalid' "$(fw forward accept)$(rule forward ct state invalid drop)" "$nofw"
wall forward ok 'one that is for another port' "$(fw forward accept)$(rule forward udp dport 53 drop)" "$nofw"
wall forward warn "$drop" "$(fw forward drop)$(rule forward iifname wan oifname lan accept)" "$nofw"
wall forward warn "$drop" "$(fw forward accept)$(rule forward ip saddr 192.0.2.0/24 drop)" "$nofw"
wall udp_in FAIL 'that arrive at UDP 33001 are dropped by table raw' 'iptables -t raw -A PREROUTING -p udp --dport 33001 -j DROP' 'iptables -t raw -F PREROUTING'
wall udp_in FAIL 'table raw: .*-j CT --notrack' 'iptables -t raw -A PREROUTING -p udp -j CT --notrack' 'iptables -t raw -F PREROUTING'
wall udp_in ok 'raw, for another port' 'iptables -t raw -A PREROUTING -p udp --dport 33002:33100 -j DROP' 'iptables -t raw -F PREROUTING'
wall udp_in FAIL 'chain inet fw prerouting' "$(fw prerouting accept -300)$(rule prerouting udp dport 33000-33010 drop)" "$nofw"
wall udp_in ok 'INPUT is not on its way' 'iptables -A INPUT -p udp -j DROP' 'iptables -F INPUT'
# A wall, the doctor's own rule before it, and the wire.
opened() {
  local name=$1 wire=$2 cure
  on dmz sh -c "$3"
  cure=$(lines | sed -n "s/^FAIL  $name: .* - //p" | head -n 1)
  on dmz sh -c "$cure" || diag "$cure"
  is "$(diff <(echo "$well") <(lines))" '' "$name: cured by $cure"
  ok "  and the wire says so" $wire
  on dmz sh -c "$4"
}
opened forward 'passes 3' 'iptables -I FORWARD -p udp -j DROP' 'iptables -D FORWARD 1; iptables -D FORWARD 1'
opened forward 'passes 3' "$(fw forward drop)" "$nofw"
opened udp_in 'passes 3' 'iptables -t raw -A PREROUTING -p udp --dport 33001 -j DROP' 'iptables -t raw -F PREROUTING'
opened udp_in 'passes 3' "$(fw prerouting accept -300)$(rule prerouting udp dport 33000-33010 drop)" "$nofw"
opened tcp_in connects 'iptables -A INPUT -i lo -j ACCEPT; iptables -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT; iptables -P INPUT DROP' 'iptables -P INPUT ACCEPT; iptables -F INPUT'
opened tcp_in connects "$(fw input accept)$(rule input tcp dport "'{ 33001, 33002 }'" reject)" "$nofw"
wall tcp_in FAIL 'that arrive at TCP 33001 are dropped by chain filter INPUT' 'iptables -A INPUT -i lo -j ACCEPT; iptables -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT; iptables -P INPUT DROP' 'iptables -P INPUT ACCEPT; iptables -F INPUT'
wall tcp_in ok 'it lets the port pass' 'iptables -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT; iptables -A INPUT -p tcp -m multiport --dports 22,33001 -j ACCEPT; iptables -P INPUT DROP' 'iptables -P INPUT ACCEPT; iptables -F INPUT'
wall tcp_in warn 'may be dropped by chain filter INPUT' 'iptables -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT; iptables -A INPUT -p tcp -s 198.51.100.0/24 --dport 33001 -j ACCEPT; iptables -P INPUT DROP' 'iptables -P INPUT ACCEPT; iptables -F INPUT'
wall tcp_in FAIL 'chain inet fw input' "$(fw input accept)$(rule input tcp dport "'{ 33001, 33002 }'" reject)" "$nofw"
fault rules FAIL '1 living sessions have no rule' 'iptables -t nat -F SALLYPORT-SESSIONS' "$bin/asperaproxy reload"
fault rules FAIL 'all rules of the suite are gone, but 1 sessions live' "$bin/asp-rules -j PREROUTING,POSTROUTING,FORWARD purge < /dev/null | iptables-restore --noflush" "$bin/asperaproxy reload"
cured
proxy_end one
well=$living
cured
done_testing
