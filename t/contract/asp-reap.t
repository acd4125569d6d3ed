#!/bin/bash
# asp-reap: silent when there is nothing to do; takes away what the dead left,
# and nothing else. In mount, network and process namespaces of its own.
uptime=86400  # marks that are an hour old
. "${0%/*}/../lib/alone.sh"

suite asp-reap asp-rules
reap=$prefix/bin/asp-reap
golden=t/unit/golden
rules() { iptables -t nat -S 2> /dev/null | grep '^-A SALLYPORT-SESSIONS '; }
rules6() { ip6tables -t nat -S 2> /dev/null | grep '^-A SALLYPORT-SESSIONS '; }

# --- exit codes -------------------------------------------------------------------

for args in 'x' '-x' '-- x' '-v'; do
  # shellcheck disable=SC2086
  status 64 "asp-reap $args: exit 64" $reap $args < /dev/null
  like "$err" '^asp-reap: .*usage: asp-reap$' 'the usage, on one line'
done
status 77 'not root: exit 77' setpriv --reuid=65534 --regid=65534 --clear-groups $reap
is "$out|$err" '|asp-reap: asp-reap must be run as root' 'says so'
ok 'and made nothing' test ! -e /run/sallyport
full() { $reap x 2> /dev/full; }
status 64 'a full disk under stderr changes no exit code' full

# --- nothing to do ------------------------------------------------------------------

status 0 'nothing there at all' $reap
is "$out$err" '' 'silence'
is "$(iptables-save 2> /dev/null | grep -ci sallyport)" 0 'no rule is made'
is "$(stat -c %a:%u /run/sallyport /run/sallyport/sessions /run/sallyport/callers /run/sallyport/turns | sort -u | tr '\n' ' ')" '700:0 755:0 ' 'the directories are made, for root alone'
silently() { $reap <&- >&- 2>&-; }
status 0 'closed descriptors: as from cron' silently
$prefix/bin/asp-rules base < /dev/null | iptables-restore --noflush
before=$(iptables-save | grep -v '^#')
status 0 'the base, and no session' $reap
is "$out$err" '' 'silence'
is "$(iptables-save | grep -v '^#')" "$before" 'the base stays'
echo '*nat
-A PREROUTING -p udp -m udp --dport 33001 -m comment --comment 3a9fd819-59c3-42bc-b0a2-d26304a1eb84 -j DNAT --to-destination 10.0.0.1
COMMIT' | iptables-restore --noflush
before=$(iptables-save | grep -v '^#')
status 0 "an administrator's rule that looks like ours, in his own chain" $reap
is "$(iptables-save | grep -v '^#')" "$before" 'is left alone'

# --- the dead ----------------------------------------------------------------------------

record() { sed '1d; /^$/q' $golden/sessions | sed '/^$/d'; }
id=$(record | sed -n 's/^session=//p')
bury() { record > /run/sallyport/sessions/"$id"; }

bury
record | $prefix/bin/asp-rules open | iptables-restore --noflush
is "$(rules | wc -l)" 1 'a rule of a session whose holder is dead'
status 0 'is reaped' $reap
is "$out$err" '' 'without a word to cron'
is "$(rules)" '' 'the rule is gone'
ok 'the record too' test ! -e "/run/sallyport/sessions/$id"

record | $prefix/bin/asp-rules open | iptables-restore --noflush
$prefix/bin/asp-rules -6 base < $golden/sessions | ip6tables-restore --noflush
is "$(rules | wc -l),$(rules6 | wc -l)" 1,6 'rules without any record, of both families'
status 0 'are reaped' $reap
is "$(rules)$(rules6)" '' 'gone'

bury
iptables -t nat -F SALLYPORT-SESSIONS
status 0 'a record whose rule is gone already' $reap
ok 'is taken away' test ! -e "/run/sallyport/sessions/$id"

echo garbage > "/run/sallyport/sessions/$id"
echo garbage > /run/sallyport/sessions/.half
head -c 100000 /dev/zero > /run/sallyport/sessions/11111111-0000-4000-8000-000000000009
touch /run/sallyport/callers/1.1 /run/sallyport/turns/x
status 0 'records that cannot be read, and left-overs' $reap
is "$(ls -A /run/sallyport/sessions /run/sallyport/callers /run/sallyport/turns | grep -v ':$' | tr -d '\n')" '' 'are swept away'
ln -s /etc/passwd "/run/sallyport/sessions/$id"
$reap > /dev/null 2>&1
ok 'a link is not followed' test -s /etc/passwd
rm -f "/run/sallyport/sessions/$id"

# --- the living ------------------------------------------------------------------------------

bury
record | $prefix/bin/asp-rules open | iptables-restore --noflush
exec 9< "/run/sallyport/sessions/$id"
flock -n 9
status 0 'a session whose record is locked lives' $reap
is "$(rules | wc -l)" 1 'its rule stays'
ok 'its record stays' test -s "/run/sallyport/sessions/$id"
exec 9<&-
status 0 'once the lock is gone' $reap
is "$(rules)" '' 'it is dead'

mkdir -p /run/sallyport
exec 8> /run/sallyport/lock
flock -n 8
bury
$reap 8>&- &
pid=$!
sleep 0.3
ok 'while somebody else changes the firewall it waits' kill -0 $pid
ok 'and touches nothing' test -e "/run/sallyport/sessions/$id"
exec 8>&-
wait $pid
is "$?" 0 'then goes on'
ok 'and does its work' test ! -e "/run/sallyport/sessions/$id"

# --- marks of servers ---------------------------------------------------------------------------

marks=/run/sallyport/balance/marks
mkdir -p $marks /run/sallyport/balance/probes /opt/aspera/proxy/etc
uptime=$(cut -d . -f 1 /proc/uptime)
mark() {  # NAME HOST STATE SECONDS-AGO [more]
  printf 'host=%s\nstate=%s\nsince=x\nuntil=%d\nreason=x\nby=x\n%s\n' "$2" "$3" $((uptime - $4)) "${5-}" > "$marks/$1"
}
fresh_marks() {
  rm -f $marks/* $marks/.[!.]*
  mark faulty-a:22 a:22 faulty 4000
  mark faulty-b:22 b:22 faulty 4000
  mark faulty-c:22 c:22 faulty 3000
  mark maintenance-d:22 d:22 maintenance 4000
  mark faulty-x@a:22-cbf29ce484222325 a:22 faulty 4000 $'user=x\nkeyfile=\n'
  mark suspect-a:22 a:22 suspect 0
  echo nonsense > $marks/faulty-e:22
  echo x > $marks/.old.1 && touch -d '2 minutes ago' $marks/.old.1
  echo x > $marks/.new.1
  : > /run/sallyport/balance/probes/a:22
}
rest() { (cd $marks/.. && find marks probes -type f | sort | xargs); }
fresh_marks
status 0 'marks, and no valid aspera.conf' $reap
is "$(rest)" 'marks/.new.1 marks/faulty-a:22 marks/faulty-b:22 marks/faulty-c:22 marks/maintenance-d:22' 'suspicions, locks and leavings of the dead go, and old marks of accounts'
fresh_marks
echo '<CONF><server><rproxy><enabled>true</enabled><rules><rule host_ip="192.0.2.1"><host>a</host><keyfile>/k</keyfile></rule></rules></rproxy></server></CONF>' > /opt/aspera/proxy/etc/aspera.conf
status 0 'with one' $reap
is "$(rest)" 'marks/.new.1 marks/faulty-a:22 marks/faulty-c:22 marks/maintenance-d:22' 'so does that of a host which no rule names, over for an hour'

# --- what one part cannot do, others do ------------------------------------------------------------

config() { echo "<CONF><server><rproxy><enabled>true</enabled><log_directory>$1</log_directory><rules><rule host_ip=\"192.0.2.1\"><host>a</host><keyfile>/k</keyfile></rule></rules></rproxy></server></CONF>" > $prefix/etc/aspera.conf; }
record | $prefix/bin/asp-rules open | iptables-restore --noflush
bury
fresh_marks
mkdir /run/sallyport/lease_lock.d && rm -f /run/sallyport/lease_lock && mv /run/sallyport/lease_lock.d /run/sallyport/lease_lock
config $tmp/made/log
mkdir $tmp/made
status 71 'leases cannot be looked at: exit 71' $reap
is "$err" 'asp-reap: open /run/sallyport/lease_lock: Is a directory' 'says why, in one line'
is "$(rules)" '' 'the dead session is reaped'
is "$(rest)" 'marks/.new.1 marks/faulty-a:22 marks/faulty-c:22 marks/maintenance-d:22' 'marks are swept'
ok "and the log's directory is made" test -d $tmp/made/log
rmdir /run/sallyport/lease_lock

# A log of an older release's, and no room for its copy.
mkdir $tmp/small && mount -t tmpfs -o size=64k,mode=755 tmpfs $tmp/small
head -c 40000 /dev/zero | tr '\0' x > $tmp/small/ascp_rproxy.log
chmod 620 $tmp/small/ascp_rproxy.log && chgrp 65534 $tmp/small/ascp_rproxy.log
config $tmp/small
bury
status 71 'no room for the copy of a log: exit 71' $reap
like "$err" "^asp-reap: replace $tmp/small/ascp_rproxy.log, to which others can write: [^[:cntrl:]]*No space left on device$" 'says so, in one line'
is "$(ls -A $tmp/small) $(stat -c %s $tmp/small/ascp_rproxy.log)" 'ascp_rproxy.log 40000' 'the log is as it was'
ok 'and the dead session is reaped' test ! -e "/run/sallyport/sessions/$id"
mount -o remount,size=1m $tmp/small
status 0 'once there is room' $reap
is "$(stat -c '%a %s' $tmp/small/ascp_rproxy.log)" '600 40000' 'it is replaced'
umount $tmp/small

# --- what it does not trust -----------------------------------------------------------------

chmod 777 /run/sallyport/sessions
status 71 'a directory that anybody can write to: exit 71' $reap
like "$err" 'must be a directory that root alone may write to' 'says so'
rm -r /run/sallyport
ln -s /etc /run/sallyport
status 71 'a link for a directory: exit 71' $reap
ok 'nothing is made there' test ! -e /etc/sessions
rm /run/sallyport

done_testing
