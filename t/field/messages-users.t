#!/bin/bash
# What the log says is true, where rules, servers and users do not fit together, and where somebody
# has broken out of aspshell and speaks with the helpers. As messages-setup.t.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"
lab_up dmz outside outside2 inside1
. "$LAB_LIB/messages.sh"
no_server="No server for bear:"
no_address='The server behind this proxy has no address of the family, IPv4 or IPv6, by which you came.'
on_dmz() { on dmz sh -c "$1" > /dev/null; }

# --- rules and servers ---------------------------------------------------------------------

host() { configure "s|<host>[^<]*</host>|<host>$1</host>${2-}|"; }
on_dmz "echo '$INSIDE1 only4.example.com' >> /etc/hosts; echo '$INSIDE1_6 only6.example.com' >> /etc/hosts"
host "$INSIDE1:22" '<bind_source_address>192.0.2.99</bind_source_address>'
meets 'a source address that is not ours' 71 "$unserved" "$no_server server $INSIDE1:22: connect from 192.0.2.99 \\(bind_source_address\\), which is not an address of this host: Cannot assign requested address $of_bear.*\\(exit 71\\)"
host only4.example.com "<bind_source_address>$DMZ_LAN_6</bind_source_address>"
meets 'a source address of another family than the name has' 78 "$misconfigured" "$no_server server only4.example.com:22: connect only4.example.com:22: it has no IPv6 address, as bind_source_address is $of_bear.*\\(exit 78\\)" 'sleep 0'
host only6.example.com
meets 'a name without an address of the family of the client' 69 "$no_address" "$no_server server only6.example.com:22: connect only6.example.com:22: it has no IPv4 address, by which the client came $of_bear.*\\(exit 69\\)"
host "[$INSIDE1_6]:22"
meets 'a server of the other family' 78 "$misconfigured" "$no_server rule 1 \\(line [0-9]+\\): client $OUTSIDE comes by IPv4, but .* is IPv6: the UDP cannot be translated between them $of_bear.*\\(exit 78\\)"
for limit in max_sessions:'max_sessions of rule 1' max_sessions_per_user:max_sessions_per_user; do
  if [ "${limit%%:*}" = max_sessions ]; then configure 's|<host>|<max_sessions>1</max_sessions>&|'
  else configure 's|<rules>|<max_sessions_per_user>1</max_sessions_per_user>&|'; fi
  proxy_session other outside2 bear "$SQUASH" cat
  meets "the limit ${limit%%:*}" 75 "$busy" "Refused a pinhole to bear: the limit is reached: ${limit#*:} is 1 $of_bear.*\\(exit 75\\)"
  proxy_end other
done

# Two servers, and none of them will do.
configure "s|<host>[^<]*</host>|<hosts><host>$INSIDE1:2222</host><host>$INSIDE1:2223</host></hosts>|"
log_from
capture on outside -u bear timeout 30 ssh -p 33001 "bear@$SQUASH" cat < /dev/null
is "$code $err" '75 None of the servers behind this proxy can be reached right now. Try again later.' 'two servers that cannot be reached: the status, and what the user reads'
wait_until 5 has_errors
like "$(errors | grep -v 'Marked server')" "^asp-upstream ERR $no_server all servers of rule 1 are faulty; just now server $INSIDE1:222[23]: connect .*: Connection refused $of_bear.*\\(exit 75\\)$" 'one line besides those of what is marked'
is "$(errors | grep -c 'Marked server')" 2 'of which there is one for each'
for port in 2222 2223; do on dmz "$LAB_PREFIX/bin/asperaproxy" heal "$INSIDE1:$port" > /dev/null; done
configure 's|<host>[^<]*</host>|<hosts><host>only6.example.com:22</host><host>only6.example.com:2222</host></hosts>|'
meets 'two servers without an address of the family of the client' 69 "$no_address" "$no_server no server of rule 1 can be used; just now server only6.example.com:22.*: .*it has no IPv4 address, by which the client came $of_bear.*\\(exit 69\\)"

# Name servers that are silent.
echo 'silent.example.net nothing' > "$TMPDIR/names"
lab_dns "$TMPDIR/names"
host silent.example.net '<connect_timeout>1</connect_timeout>'
meets 'name servers that are silent' 69 "$unreached" "$no_server server silent.example.net:22: resolve silent.example.net: timed out $of_bear.*\\(exit 69\\)"
kill "$LAB_DNS"

# Redis, which is away: no failure of the session.
cluster() { configure "s|<server>|&<cluster><enabled>true</enabled><nodes><node name=\"dmz\">$DMZ_LAN</node><node name=\"dmz2\">$DMZ2_LAN</node></nodes><sync_interface>lan</sync_interface><redis>$DMZ_LAN:6379</redis>${1-}</cluster>|"; }
goes_on() { # NAME LINE
  on_dmz 'rm -f /run/sallyport/redis-away'  # for whose sake nobody asks for some seconds
  log_from
  capture on outside -u bear timeout 30 ssh -p 33001 "bear@$SQUASH" cat < /dev/null
  is "$code $err" '0 ' "$1: the session goes on"
  one_error "$2"
}
cluster
goes_on 'Redis is away' "Redis is away, this node goes on with what it knows itself: .*$DMZ_LAN:6379.*Connection refused.*"
cluster '<redis_password_file>/etc/no-password</redis_password_file>'
goes_on 'the password of Redis is not there' "Redis is away, this node goes on with what it knows itself: open /etc/no-password: No such file or directory.*"
on_dmz 'echo secret > /etc/password; chmod 644 /etc/password'
cluster '<redis_password_file>/etc/password</redis_password_file>'
goes_on 'others may read the password of Redis' 'Redis is away, this node goes on with what it knows itself: /etc/password: must be a file that belongs to root and is for root alone \(mode 0600\).*'
on_dmz 'echo "not so" > /etc/password; chmod 600 /etc/password'
goes_on 'the password of Redis is none' 'Redis is away, this node goes on with what it knows itself: /etc/password: must hold one line, of 1 to 128 letters.*'

# --- somebody who broke out of aspshell ------------------------------------------------------

configure
of_mallory="session=UUID user=mallory .*client=$OUTSIDE:[0-9]+ proxy=$SQUASH:33001 "
breaks_out 'a command that is not on the list' 77 "$unpermitted" "No server for mallory: the command is not on the list of aspshell: id $of_mallory.*\\(exit 77\\)" '$rproxy -- id'
breaks_out 'a command that is not understood' 77 "$unpermitted" "No server for mallory: the command line is not understood $of_mallory.*\\(exit 77\\)" '$rproxy -- $(head -c 5000 /dev/zero | tr "\\0" x)'
breaks_out 'no SSH_CONNECTION' 65 "$unserved" 'SSH_CONNECTION is not set: only sshd is to run this \(exit 65\)' 'unset SSH_CONNECTION; $rproxy -- cat'
breaks_out 'an SSH_CONNECTION that is none' 65 "$unserved" "SSH_CONNECTION 'x' is not 'address port address port' \\(exit 65\\)" 'SSH_CONNECTION=x $rproxy -- cat'
breaks_out 'a connection that is not there' 77 "$unpermitted" '(No server for|Refused a pinhole to) mallory: no established connection from 192.0.2.9:1 to 192.0.2.8:2 .*\(exit 77\)' 'SSH_CONNECTION="192.0.2.9 1 192.0.2.8 2" $rproxy -n -- sleep 0'
proxy_session other outside2 bear "$SQUASH" cat
theirs=$(on dmz ss -Htn state established "sport 33001 and dst $OUTSIDE2" | awk '{ sub(/.*:/, "", $4); print $4 }')
breaks_out "somebody else's connection" 77 "$unpermitted" "(No server for|Refused a pinhole to) mallory: no parent process holds the connection from $OUTSIDE2:$theirs .*\\(exit 77\\)" "SSH_CONNECTION='$OUTSIDE2 $theirs $SQUASH 33001' \$rproxy -n -- sleep 0"
proxy_end other
breaks_out 'a user who is out of descriptors' 71 "$unserved" "(pipe|socketpair): Too many open files $of_mallory.*\\(exit 71\\)" 'ulimit -n 8; $rproxy -- cat'
breaks_out 'a second session at the same time' 77 "$unpermitted" "No server for mallory: the session has an upstream connection already .*\\(exit 77\\)" '$rproxy -n -- sleep 2 & until ls /proc/[0-9]*/comm | xargs grep -qs asp-dial; do :; done; $rproxy -n -- sleep 0; s=$?; wait; exit $s'

status 0 'then all is as before' on outside -u bear ssh -p 33001 "bear@$SQUASH" cat < /dev/null
done_testing
