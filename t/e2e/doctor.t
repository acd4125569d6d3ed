#!/bin/bash
# asperaproxy check: each fault planted alone is found, by its own line, and no
# other line changes; where packets are concerned, doctor and wire agree.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside inside1
proxy_allow cat
dmz=$(lab_root dmz)
etc=$LAB_PREFIX/etc
# Inside, bear has no account of his own.
sed -i 's|<keyfile>/home/|<users>bobcat</users>&|' "$dmz$etc/aspera.conf"
check() { on dmz timeout 60 "$LAB_PREFIX/bin/asperaproxy" check "$@"; }
# The clock is the machine's, whatever it is; flows come and go.
steady() { grep -v ' clock: ' | sed -E 's/: [0-9]+ of [0-9]+ flows \(0 %\)/: few flows/; s/[0-9]+ are of sessions/some are of sessions/'; }
lines() { check | steady; }

# A host as INSTALL leaves it. cron is stopped, so that it mends nothing meanwhile.
on dmz gpasswd -d mallory sallyport > /dev/null
on dmz /usr/sbin/cron
ok '(cron runs)' wait_until 5 on dmz test -s /run/crond.pid
on dmz sh -c 'kill -STOP "$(cat /run/crond.pid)"'
on dmz "$LAB_PREFIX/bin/asperaproxy" start > /dev/null

status 0 'all is well: exit 0' check
well=$(steady <<< "$out")
is "$(grep -v '^ok    [a-z0-9_]*: ' <<< "$well")" '' 'each line says so' || diag "$well"
like "$well" $'\nok    iptables: usable \(nf_tables backend, [0-9.]+\)\n' 'and what it found'
is "$(awk '{ print $2 }' <<< "$out" | uniq | xargs)" \
  'state: config: room: tools: aspshell: ip_forward: sources: redirects: conntrack: accounting: hosts: clock: selinux: syslog: cron: iptables: ip6tables: nftables: netlink: rules: forward: udp_in: tcp_in: border: client_flows: group: authorized_keys: dial_account: sudoers: sudo: sshd: ssh_port: keyfile: host_keys: logins: servers: no_restricted_shell: docroot_above_home: ssh_tunneling: docroot_unconfined: sftp: agent_forwarding: x11_forwarding: streamlocal_forwarding: environment: grants: private_keys: writable: keys_at_home: sshd_version: not_judged:' \
  'one after the other'
status 0 'JSON' check --json
is "$(python3 -c 'import json, sys; d = json.load(sys.stdin); print(len(d), sorted(d[0]), {x["grade"] for x in d if x["name"] != "clock"})' <<< "$out")" \
  "$(($(wc -l <<< "$well") + 1)) ['cure', 'grade', 'name', 'what'] {'ok'}" 'has the same'
status 77 'not root: exit 77' on dmz -u bear "$LAB_PREFIX/bin/asperaproxy" check
before=$(on dmz sh -c 'iptables-save; ip6tables-save; nft list ruleset; find /run/sallyport /opt /etc -newer /run/crond.pid' 2> /dev/null | grep -v '^#' | sed 's/\[[0-9:]*\]//; s/packets [0-9]* bytes [0-9]*//')
check > /dev/null
is "$(on dmz sh -c 'iptables-save; ip6tables-save; nft list ruleset; find /run/sallyport /opt /etc -newer /run/crond.pid' 2> /dev/null | grep -v '^#' | sed 's/\[[0-9:]*\]//; s/packets [0-9]* bytes [0-9]*//')" "$before" 'to check changes nothing'

# fault NAMES GRADE PATTERN PLANT CURE: PLANT and CURE are run on dmz by sh. NAMES are
# those whose lines change (the first one's is what PATTERN is for), as "a|b".
# When the fault is there, $truth is run. Without CURE, the doctor's own is pasted.
truth=true
fault() {
  local names=$1 grade=$2 pattern=$3 found first=${1%%|*} expected=0
  on dmz sh -c "$4" > /dev/null || diag "could not plant: $4"
  $truth
  capture lines
  found=$(grep -E "^$grade +$first: " <<< "$out")
  like "$found" "$pattern.* - .+" "$first: $pattern"
  is "$(diff <(grep -vE "^[a-zA-Z]+ +($names): " <<< "$well") <(grep -vE "^[a-zA-Z]+ +($names): " <<< "$out"))" '' '  and it alone' || diag "$4"
  grep -q ^FAIL <<< "$out" && expected=1
  [ "$grade" = warn ] || is "$expected" 1 '  as a failure'
  if [ $# -lt 5 ]; then
    on dmz sh -c "PATH=$LAB_PREFIX/bin:\$PATH; ${found##* - }" > /dev/null 2>&1
    is "$(diff <(echo "$well") <(lines))" '' "  and cured: ${found##* - }"
    return
  fi
  on dmz sh -c "$5" > /dev/null || diag "could not cure: $5"
}
# fine WHAT PLANT CURE: no fault at all.
fine() {
  on dmz sh -c "$2" > /dev/null || diag "could not plant: $2"
  $truth
  is "$(diff <(echo "$well") <(lines))" '' "no fault: $1"
  on dmz sh -c "$3" > /dev/null || diag "could not cure: $3"
}

# The proxy and its host --------------------------------------------------------------------

run=/run/sallyport
fault 'state|rules' warn 'stopped since 20[0-9T:-]*Z: ' "touch $run/stopped"
fault state warn 'drained since 20[0-9T:-]*Z: ' "touch $run/drain"
conf=$etc/aspera.conf
keep="cp -p $conf /root/keep" back="cp -p /root/keep $conf"
unlooked='config|border|client_flows|forward|udp_in|keyfile|host_keys|ip_forward|rules|tcp_in|servers|not_judged|writable'
# Where no Match block is for the users.
unconfined='ssh_tunneling|sftp|agent_forwarding|x11_forwarding|streamlocal_forwarding|environment|keys_at_home'
security="no_restricted_shell|docroot_above_home|docroot_unconfined|$unconfined|grants|private_keys|writable|sshd_version|not_judged"
fault "$unlooked" FAIL 'aspera.conf:2:1: bogus' "$keep; printf '<CONF><server><rproxy>\n<bogus/></rproxy></server></CONF>' > $conf" "$back"
fault "$unlooked" FAIL 'must belong to root' "chmod o+w $conf"
fault "config|border|client_flows|servers" FAIL 'the reverse proxy is off' "sed -i 's/<enabled>true/<enabled>false/' $conf"
on dmz sh -c "$back"
fault "$unlooked" FAIL 'has no rules' "sed -i '/<rules>/,/<.rules>/d' $conf" "$back"
fault 'config|servers' FAIL 'bear, bobcat cannot read .*aspera.conf, so that each of their sessions ends' "chmod 600 $conf"
fault log_directory FAIL '/var/log/wide.*so that the log is in syslog' "install -d -m 777 /var/log/wide; sed -i 's|<rules>|<log_directory>/var/log/wide</log_directory>&|' $conf" "$back"
fault log_directory FAIL '/var/log/none is no directory' "sed -i 's|<rules>|<log_directory>/var/log/none</log_directory>&|' $conf" "$back"
bin=$LAB_PREFIX/bin
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
fault 'border|client_flows' FAIL 'not in force, so that everything may be forwarded' 'nft delete table inet sallyport_border'
fault border warn 'off, so that others than sessions may be forwarded' "sed -i 's|<server>|&<border>false</border>|' $conf; $bin/asperaproxy reload"
on dmz sh -c "$back"
fault 'border|host_keys|servers' warn 'closed, but not as aspera.conf and the routes are by now' 'ip link add dmz9 type dummy; ip link set dmz9 up; ip route add 192.0.2.200/32 dev dmz9; '"sed -i '0,/<host>/s|<host>[^<]*|<host>192.0.2.200|' $conf" "ip link del dmz9; $back"
bounded() { fault client_flows warn "$1" "sed -i 's|<server>|&<max_flows_per_client>$2</max_flows_per_client>|; s|<rules>|$3<rules>|' $conf; ${4-$bin/asperaproxy reload}" "$back; $bin/asperaproxy reload"; }
bounded 'no bound, so that one client may have all' 0 ''
bounded 'the bound of 7 is not in force' 7 '' true
bounded 'one user can fill that' 1000000 ''
bounded '500 at most for each of the 10000 sessions that a user may have, and nf_conntrack_max is' 500 '<max_sessions>20000</max_sessions>'
on dmz nft delete chain inet sallyport_border bounded
like "$(lines)" $'\nwarn  client_flows: the bound of 512 is not in force.*reload' 'a bound that was taken away'
on dmz "$bin/asp-reap"
is "$(diff <(echo "$well") <(lines))" '' 'asp-reap puts it back'
fault rules FAIL 'has taken a part' 'iptables -t nat -F SALLYPORT' "$bin/asp-reap; $bin/asperaproxy reload"
fault rules FAIL 'has taken a part' 'ip6tables -F FORWARD'
fault 'rules|state' FAIL 'rules of a stopped proxy' "touch $run/stopped" "rm $run/stopped"

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
fault rules FAIL '1 living sessions have no rule' 'iptables -t nat -F SALLYPORT-DNAT-0a' "$bin/asperaproxy reload"
fault rules FAIL 'all rules of the suite are gone, but 1 sessions live' "$bin/asp-rules -j PREROUTING,POSTROUTING,FORWARD purge < /dev/null | iptables-restore --noflush" "$bin/asperaproxy reload"
proxy_end one
well=$living

# Accounts, sudo, sshd ----------------------------------------------------------------------------

fault "group|authorized_keys|sudo|sshd|keyfile|servers|grants|$unconfined" FAIL 'there is no group sallyport' 'cp /etc/group /root/; sed -i s/^sallyport:/other:/ /etc/group' 'cp /root/group /etc/group'
fault "group|authorized_keys|sudo|sshd|keyfile|servers|grants|$unconfined" warn 'has no members' 'gpasswd -d bear sallyport; gpasswd -d bobcat sallyport' 'cp /root/group /etc/group'
fault 'group|grants' FAIL 'an administrator is in the group.*: bear' 'groupadd -f lxd; usermod -aG lxd bear' 'gpasswd -d bear lxd; groupdel lxd'
fault 'group|sshd|grants' FAIL 'an administrator is in the group.*: bear' 'usermod -aG sudo bear' 'cp /root/group /etc/group'
fault 'group|sudo|sshd' warn 'nobody5 is in the group, but has no account' "sed -i '/^sallyport:/s/\$/,nobody5/' /etc/group"
fault group warn 'the shell of bear is not /bin/aspshell' 'usermod -s /bin/bash bear'
sudoers=/etc/sudoers.d/sallyport
fault 'sudoers|sudo' FAIL 'sallyport is missing' "mv $sudoers /root/" "mv /root/sallyport $sudoers"
fault 'sudoers|sudo|writable|grants' FAIL 'others than root can write' "chmod g+w $sudoers" "chmod 440 $sudoers"
fault 'sudoers|sudo|grants|not_judged' FAIL 'syntax error' "cp -p $sudoers /root/; echo '%sallyport = (' >> $sudoers" "cp -p /root/sallyport $sudoers"
settings=/etc/sudoers.d/zz-sallyport
fault sudoers FAIL 'zz-sallyport is missing, so that settings of this site' "mv $settings /root/"
fault 'sudoers|writable' FAIL 'can write to .*zz-sallyport' "chmod g+w $settings"
fault sudoers FAIL 'zz-sallyport is not for the sudo that is here' "sed -i 5d $settings"
fault sudoers warn 'zz: bad permissions' "echo > /etc/sudoers.d/zz" 'rm /etc/sudoers.d/zz'
fault sudo FAIL 'bear, bobcat cannot run .*asp-pinhole: sudo: a password is required' 'cp -p /etc/sudoers /root/; sed -i /includedir/d /etc/sudoers' 'cp -p /root/sudoers /etc/sudoers'
fault 'sudo|grants' FAIL 'bobcat cannot run' "echo 'bobcat ALL = (root) PASSWD: ALL' > /etc/sudoers.d/zz; chmod 440 /etc/sudoers.d/zz" 'rm /etc/sudoers.d/zz'
fault grants FAIL 'sudo grants .*iptables-restore for bear' "echo 'bear ALL = (root) NOPASSWD: /sbin/iptables-restore' > /etc/sudoers.d/zz; chmod 440 /etc/sudoers.d/zz" 'rm /etc/sudoers.d/zz'
sshd=/etc/ssh/sshd_config.d/sallyport.conf
on dmz cp $sshd /root/sshd.conf
loosen() { fault "${4-sshd}" "$1" "$2" "$3"; }
# What sshd would take instead is no default that is safe by chance.
keeps_out() { fault sshd FAIL "$1" "$2" "cp /root/sshd.conf $sshd"; }
keeps_out 'AllowUsers does not name bobcat' "sed -i '1i AllowUsers ops b?ar@198.51.100.*' $sshd"
keeps_out 'DenyGroups keeps out bear, bobcat' "sed -i '1i DenyGroups sally*' $sshd"
keeps_out 'AuthenticationMethods password, which is off, keeps out bear, bobcat' "sed -i '1i Match Address 198.51.100.0/24\n AuthenticationMethods password\nMatch all' $sshd"
loosen FAIL 'ForceCommand is none for bear, bobcat' "sed -i /ForceCommand/d $sshd"
loosen FAIL 'ForceCommand is /bin/true for bobcat' "sed -i 's|^Match Group|Match User bobcat\n ForceCommand /bin/true\n&|' $sshd"
loosen FAIL 'AllowTcpForwarding is yes for bear, bobcat' "sed -i '/DisableForwarding/d; /AllowTcpF/d' $sshd" ssh_tunneling
loosen FAIL 'AllowStreamLocalForwarding is yes' "sed -i '/DisableForwarding/d; /AllowStream/d' $sshd" streamlocal_forwarding
loosen FAIL 'PermitTunnel is yes' "sed -i '/DisableForwarding/d; s/PermitTunnel no/PermitTunnel yes/' $sshd" ssh_tunneling
loosen FAIL 'AllowAgentForwarding is yes' "sed -i '/DisableForwarding/d; /AllowAgent/d' $sshd" agent_forwarding
loosen FAIL 'X11Forwarding is yes' "sed -i '/DisableForwarding/d; s/X11Forwarding no/X11Forwarding yes/' $sshd" x11_forwarding
loosen FAIL 'PermitUserRC is yes .host=203.0.113.0,addr=203.0.113.0,.* for bear' "sed -i 's|^Match Group|Match Address 203.0.113.0/24\n PermitUserRC yes\n&|' $sshd"
loosen FAIL 'PermitUserRC is yes' "sed -i '/PermitUserRC/d' $sshd"
loosen FAIL 'PermitUserEnvironment is yes' "sed -i 's/PermitUserEnvironment no/PermitUserEnvironment yes/' $sshd" environment
loosen warn 'PasswordAuthentication is yes' "sed -i 's/PasswordAuthentication no/PasswordAuthentication yes/' $sshd"
loosen warn 'ExposeAuthInfo is no' "sed -i '/ExposeAuth/d' $sshd"
loosen warn 'no keep-alives' "sed -i '/ClientAliveInterval/d' $sshd"
loosen warn 'PermitRootLogin is (without|prohibit)-password' "sed -i '/PermitRootLogin/d' $sshd"
fault "sshd|tcp_in|authorized_keys|$security" FAIL 'Bad configuration option: Bogus' "echo Bogus yes >> $sshd" "cp /root/sshd.conf $sshd"
open=/etc/ssh/authorized_keys
for damage in "chmod g+w $open/bear" "chown bear $open/bear" "chmod o+w $open"; do
  fault writable FAIL "$open(/bear)? (may be written by|belongs to)" "$damage"
done
fault authorized_keys warn 'keys of bear are in ~/.ssh alone, where sshd does not read them' "mv $open/bear /home/bear/.ssh/authorized_keys" "mv /home/bear/.ssh/authorized_keys $open/bear"
fault 'authorized_keys|keys_at_home' warn " sshd does not read the keys of bear, bobcat in $open" "sed -i /AuthorizedKeysFile/d $sshd"
fault 'keys_at_home|authorized_keys' warn ' sshd takes keys from /home/bear/.ssh/authorized_keys, where' "sed -i /AuthorizedKeysFile/d $sshd" "cp /root/sshd.conf $sshd"
fault authorized_keys warn "$open/gone has keys of an account that is gone" "cp $open/bear $open/gone"
fault keys_at_home warn ' sshd takes keys from /home/bobcat/.ssh/keys, where' "sed -i 's|^Match Group|Match User bobcat\n AuthorizedKeysFile $open/%u %h/.ssh/keys\n&|' $sshd" "cp /root/sshd.conf $sshd"
fine 'a directory of the site'"'"'s own that is root'"'"'s' "cp -rp $open /etc/ssh/ours; mv $open /root/; sed -i 's|AuthorizedKeysFile .*|AuthorizedKeysFile /etc/ssh/ours/%u|' $sshd" "mv /root/authorized_keys $open; cp /root/sshd.conf $sshd"
fault writable FAIL '/etc/ssh/ours/bear may be written by group root and everybody for bear' "cp -rp $open /etc/ssh/ours; chmod 666 /etc/ssh/ours/bear; mv $open /root/; sed -i 's|AuthorizedKeysFile .*|AuthorizedKeysFile /etc/ssh/ours/%u|' $sshd" "mv /root/authorized_keys $open; rm -r /etc/ssh/ours; cp /root/sshd.conf $sshd"
lab_sshd dmz stop
fault ssh_port FAIL 'sshd is to listen on TCP 33001, but does not' true true
fault 'ssh_port|tcp_in' FAIL 'nobody listens on TCP 33001' "sed -i '/33001/d' $sshd" "cp /root/sshd.conf $sshd"
lab_sshd dmz start

# Keys -----------------------------------------------------------------------------------------------

key=$etc/ssh_keys/id_ed25519
on dmz sh -c "ssh-keygen -q -t ed25519 -N secret -f /root/locked; cp -p $key /root/key"
spoil() { fault "keyfile|servers${3+|$3}" FAIL "$1" "$2" "cp -p /root/key $key; chown root $key $etc/ssh_keys; chmod 600 $key; chmod 700 $etc/ssh_keys"; }
spoil "bear, bobcat: $key: must belong to root and be writable by root alone" "chown sallyport-dial $key"
spoil "bear, bobcat: $etc/ssh_keys does not belong to root" "chown sallyport-dial $etc/ssh_keys" writable
spoil "everybody on this host can read or write $key" "chmod 644 $key; chmod 755 $etc/ssh_keys" private_keys
fault 'keyfile|private_keys' warn "bear, bobcat can read the key of a squash_user, $key, and need not" "chgrp sallyport $key $etc/ssh_keys; chmod 640 $key; chmod 750 $etc/ssh_keys" "chgrp root $key $etc/ssh_keys; chmod 600 $key; chmod 700 $etc/ssh_keys"
fault 'dial_account|sudo|servers' FAIL 'there is no account sallyport-dial' 'cp -p /etc/passwd /root/; sed -i /^sallyport-dial/d /etc/passwd' 'cp -p /root/passwd /etc/passwd'
fault dial_account FAIL 'in other groups' 'gpasswd -a sallyport-dial adm' 'gpasswd -d sallyport-dial adm'
fault 'dial_account|host_keys|servers' FAIL 'sallyport-dial cannot read' "chmod 600 $etc/known_hosts" "chmod 644 $etc/known_hosts"
spoil 'No such file' "rm $key"
spoil 'it is encrypted' "cat /root/locked > $key"
spoil 'not a private key' "echo hello > $key"
proxy_signs_pkcs8 || spoil 'it cannot sign, .*PKCS#8 form; .*ssh-keygen' "openssl genpkey -algorithm ed25519 > $key 2> /dev/null"
own=/home/bobcat/.ssh/id_ed25519
fault 'keyfile|servers' FAIL "bobcat: open key $own: Permission denied" "chown root $own" "chown bobcat $own"
fault 'keyfile|servers|private_keys' FAIL "bobcat: read key $own: not a private key" "mv $own $own.away; mkfifo -m 666 $own" "mv -f $own.away $own"
fine 'a rule that is not for him' "chown root /home/bear/.ssh/id_ed25519" "chown bear /home/bear/.ssh/id_ed25519"
# mark LINES: what a session leaves that failed
mark() { echo "mkdir -p -m 700 /run/sallyport/balance /run/sallyport/balance/marks; printf 'host=$INSIDE1:22\n$1since=2026-11-22T15:04:05Z\nby=x\n\n' > /run/sallyport/balance/marks/one"; }
unmark='rm -r /run/sallyport/balance'
fault logins warn "$INSIDE1:22 does not let bear in, since 2026-11-22T15:04:05Z: server refuses our key /k" \
  "$(mark 'user=bear\nkeyfile=/k\nstate=refused\nuntil=1\nreason=server refuses our key /k\nfailures=2\n')" "$unmark"
fault logins warn "$INSIDE1:22 is faulty since 2026-11-22T15:04:05Z: timed out" "$(mark 'state=faulty\nuntil=99999999\nreason=timed out\n')" "$unmark"
fault logins FAIL "$INSIDE1:22 refuses this proxy, since log-ins from it have failed" \
  "$(mark 'state=faulty\nuntil=99999999\nreason=handshake: server says: Not allowed at this time\n')" "$unmark"
fault 'logins|servers' warn "$INSIDE1:22 is out of service, by root, since 20[0-9T:-]*Z: new disks" "$bin/asperaproxy fault $INSIDE1 new disks"
fine 'one log-in that failed' "$(mark 'user=bear\nkeyfile=/k\nstate=refused\nuntil=1\nreason=refused\nfailures=1\n')" "$unmark"
fault 'host_keys|servers' FAIL "$INSIDE1 is not in .*known_hosts - asperaproxy trust $INSIDE1:22" "cp -p $etc/known_hosts /root/; sed -i '/^$INSIDE1,/d' $etc/known_hosts" "cp -p /root/known_hosts $etc/known_hosts"
fault 'host_keys|servers' FAIL "$INSIDE1 is not in .*known_hosts; 1 of its lines cannot be read, the first is [0-9]* - asperaproxy trust $INSIDE1:22" "cp -p $etc/known_hosts /root/; sed -i 's/^\($INSIDE1,[^ ]*\) .*/\1 ssh-ed25519 AAAAbroken/' $etc/known_hosts" "cp -p /root/known_hosts $etc/known_hosts"
fault 'host_keys|servers' FAIL "$INSIDE1 is not in .*known_hosts - asperaproxy trust $INSIDE1:22" "cp -p $etc/known_hosts /root/; sed -i 's/^$INSIDE1,/@revoked &/' $etc/known_hosts" "cp -p /root/known_hosts $etc/known_hosts"
fault 'host_keys|dial_account|servers' FAIL 'bear, bobcat cannot read' "chmod 600 $etc/known_hosts"
fault 'host_keys|writable|servers' FAIL 'does not belong to root' "chown bear $etc/known_hosts"

# Servers, as sessions meet them -------------------------------------------------------------------------

inside1=$(lab_root inside1)
lab_sshd inside1 stop
fault servers FAIL "$INSIDE1:22: .*refused.*, for .*xfer" true true
lab_sshd inside1 start
mv "$inside1/home/xfer/.ssh/authorized_keys" "$inside1/home/xfer/.ssh/away"
fault servers FAIL "log in at $INSIDE1:22 as xfer: .* - ssh-keygen -y -f $key " true true
mv "$inside1/home/xfer/.ssh/away" "$inside1/home/xfer/.ssh/authorized_keys"
for user in one two; do
  on dmz sh -c "useradd -m -G sallyport -s /bin/aspshell $user; install -d -o $user /home/$user/.ssh; ssh-keygen -q -t ed25519 -N '' -f /home/$user/.ssh/id_ed25519; chown $user /home/$user/.ssh/id_ed25519"
done
on dmz sed -i 's|<users>bobcat</users>||' $conf
is "$(lines | grep -c "^FAIL  servers: log in at $INSIDE1:22 as .*: server refuses")" 2 'of three accounts that a server refuses two are tried, so that it does not refuse the proxy'
on dmz sh -c "$back; userdel -r one; userdel -r two" 2> /dev/null

# Mending -------------------------------------------------------------------------------------------------

broken() { on dmz sh -c "sysctl -qw net.ipv4.conf.wan.send_redirects=1; chmod 700 $bin/asp-reap; touch $run/drain"; }
mended() { on dmz sh -c "sysctl -n net.ipv4.conf.wan.send_redirects; stat -c %a $bin/asp-reap; ls $run/drain" | xargs; }
at_terminal() { printf "$1" | on dmz timeout 60 script -qec "$bin/asperaproxy check --fix" /dev/null; }
broken
status 64 'check --fix without a terminal: exit 64' on dmz setsid -w timeout 60 "$bin/asperaproxy" check --fix
like "$err" 'there is no terminal; give --yes$' 'says what would do'
is "$(mended)" "1 700 $run/drain" 'and changes nothing'
at_terminal 'no\nyes\n' > "$TMPDIR/said"
like "$(cat "$TMPDIR/said")" 'FAIL  tools: users cannot execute .*asp-reap - chmod 755 .*Do that\? \(yes/no\)' 'it asks for each'
is "$(mended)" "0 700 $run/drain" 'no means no, yes means yes'
status 0 'check --fix --yes: what is left decides the status' check --fix --yes
is "$(mended)" "0 755 $run/drain" 'it mends the rest, but a drain is not for it to end'
on dmz rm "$run/drain"
is "$(lines)" "$well" 'when all is mended, all is well'
done_testing
