#!/bin/bash
# What the log says is true: each way in which a session does not come to be is caused. One failure is
# one line, which names the real cause and the thing.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"
lab_up dmz outside outside2 inside1
. "$LAB_LIB/messages.sh"
configure
status 0 '(a session)' on outside -u bear ssh -p 33001 "bear@$SQUASH" 'sleep 0' < /dev/null
touch "$root/run/sallyport/drain"
meets 'drained' 75 "$busy" "drained: no new sessions are taken $of_bear.*\\(exit 75\\)"
rm "$root/run/sallyport/drain"
meets 'a forbidden command' 77 'Command not accepted: id' "Command not accepted user=bear from=$OUTSIDE [0-9]+ $SQUASH 33001 command=id" id
configure "s|<rules>|<max_sessions>1</max_sessions>&|"
proxy_session other outside2 bobcat "$SQUASH" cat
meets 'the limit is reached' 75 "$busy" "Refused a pinhole to bear: the limit is reached: max_sessions of all rules is 1 $of_bear.*\\(exit 75\\)"
proxy_end other
configure "s|<rule host_ip=\"$SQUASH\">|<rule host_ip=\"192.0.2.77\">|"
meets 'no rule' 77 "$unpermitted" "(No server for|Refused a pinhole to) bear: no rule (of aspera.conf )?matches bear at $SQUASH:33001.* $of_bear.*\\(exit 77\\)"
configure 's|<host>[^<]*</host>|<host>203.0.113.10:22222</host>|'
meets 'nobody listens' 69 "$unreached" "No server for bear: server $INSIDE1:22222: connect $INSIDE1:22222: Connection refused $of_bear.*\\(exit 69\\)"
configure 's|<host>[^<]*</host>|<host>no-such-host.invalid</host>|'
meets 'a name that does not exist' 69 "$unreached" "No server for bear: server no-such-host.invalid:22: resolve no-such-host.invalid: .* $of_bear.*\\(exit 69\\)"
configure "s|$squash_key|/etc/no-such-key|"
meets 'a key that is not there' 78 "$misconfigured" "No server for bear: open key /etc/no-such-key: No such file or directory $of_bear.*\\(exit 78\\)"
configure "s|$squash_key|/etc|"
meets 'a directory for a key' 78 "$misconfigured" "No server for bear: key /etc: not a regular file $of_bear.*\\(exit 78\\)"
configure "s|$squash_key|/etc/passwd|"
meets 'no key' 78 "$misconfigured" "No server for bear: server $INSIDE1:22: read key /etc/passwd: not a private key $of_bear.*\\(exit 78\\)"
on dmz sh -c 'ssh-keygen -q -t ed25519 -N secret -f /etc/locked; chmod 644 /etc/locked; openssl genpkey -algorithm ed25519 -out /etc/pkcs8 2> /dev/null; chmod 644 /etc/pkcs8'
configure "s|$squash_key|/etc/locked|"
meets 'a key with a passphrase' 78 "$misconfigured" "No server for bear: server $INSIDE1:22: read key /etc/locked: it is encrypted, .* $of_bear.*\\(exit 78\\)"
configure "s|$squash_key|/etc/pkcs8|"
proxy_signs_pkcs8 || meets 'a key that cannot sign' 78 "$misconfigured" "No server for bear: server $INSIDE1:22: read key /etc/pkcs8: it cannot sign, .*ssh-keygen.* $of_bear.*\\(exit 78\\)"
configure
on dmz mv "$LAB_PREFIX/etc/known_hosts" /etc/known_hosts.away
meets 'no known_hosts' 76 "$unverified" "No server for bear: server $INSIDE1:22: verify host key of $INSIDE1: open $LAB_PREFIX/etc/known_hosts: No such file or directory .* $of_bear.*\\(exit 76\\)"
on dmz mv /etc/known_hosts.away "$LAB_PREFIX/etc/known_hosts"
echo '<CONF><server><rproxy><bogus/></rproxy></server></CONF>' > "$conf"
for command in ascmd cat; do
  meets "a broken aspera.conf, and $command" 78 "$misconfigured" "$LAB_PREFIX/etc/aspera.conf:1:[0-9]+: .*bogus.*" $command
done
configure
chmod 600 "$conf"
meets 'an aspera.conf that users cannot read' 78 "$misconfigured" "open $LAB_PREFIX/etc/aspera.conf: Permission denied.*\\(exit 78\\)" ascmd
chmod 666 "$conf"
meets 'one that they can write' 78 "$misconfigured" "No server for bear: $LAB_PREFIX/etc/aspera.conf: must belong to root and be writable by root alone $of_bear.*\\(exit 78\\)"
chmod 644 "$conf"
on dmz sh -c 'sed /^sallyport-dial/d /etc/passwd > /etc/passwd.new && cp /etc/passwd /etc/passwd.all && cat /etc/passwd.new > /etc/passwd'
meets 'no account to dial' 71 "$unserved" "No server for bear: there is no account sallyport-dial; see INSTALL $of_bear.*\\(exit 71\\)" 'sleep 0'
on dmz sh -c 'cat /etc/passwd.all > /etc/passwd'
on dmz mv "$LAB_PREFIX/bin/asp-dial" /etc/asp-dial.away
meets 'no asp-dial' 71 "$unserved" "No server for bear: run $LAB_PREFIX/bin/asp-dial: No such file or directory $of_bear.*\\(exit 71\\)" 'sleep 0'
on dmz mv /etc/asp-dial.away "$LAB_PREFIX/bin/asp-dial"
status 0 'then all is as before' on outside -u bear ssh -p 33001 "bear@$SQUASH" 'sleep 0' < /dev/null
done_testing
