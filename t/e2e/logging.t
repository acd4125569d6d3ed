#!/bin/bash
# The log in a file of its own: whole lines of concurrent sessions, out of reach
# of their users; levels; rotation; and syslog when the file cannot be used.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

LAB_CROWD=1  # 30 at once
lab_up dmz outside outside2 inside1
directory=/var/log/sallyport
log=$directory/ascp_rproxy.log
root=$(lab_root dmz)
reap() { on dmz timeout 20 "$LAB_PREFIX/bin/asp-reap"; }
# log_to LEVEL [DIRECTORY]
log_to() {
  proxy_allow cat
  on dmz sed -i "s|<enabled>true</enabled>|&<log_level>$1</log_level><log_directory>${2-}</log_directory>|
    s|<aspshell_commands>|&<command udp=\"false\">true ...</command>|" "$LAB_PREFIX/etc/aspera.conf"
}
ask() { on "$1" -u "$2" timeout 20 ssh -n -p 33001 "$2@$SQUASH" "$3"; }
append_only() { [[ $(on dmz lsattr "$log" 2> /dev/null | cut -d ' ' -f 1) == *a* ]]; }
# as_attacker COMMAND: by somebody who broke out of aspshell
as_attacker() { on dmz -u mallory bash -c "$1" 2> /dev/null; }
lines() { cat "$root$log"; }
syslog_has() { lab_log dmz | grep -q -- "$1"; }
well_formed='^[A-Z][a-z]{2} [ 1-3][0-9] [0-9:]{8} dmz (aspshell|ascp_rproxy|asp-pinhole|asp-upstream)\[[0-9]+\]: (LOG|ERR|DBG1|DBG2) [ -~]*$'

# The file -----------------------------------------------------------------------------

log_to 2 $directory
nok '(it is not there)' test -e "$root$directory"
status 0 'asp-reap makes the file: exit 0' reap
is "$out$err" '' 'silently'
is "$(on dmz stat -c '%A %U:%G' $directory $log | xargs)" 'drwxr-xr-x root:root -rw--w---- root:sallyport' 'for root to read and the group to write to'
ok 'append-only' append_only
is "$(on dmz ls -A $directory)" ascp_rproxy.log 'and nothing else'
inode=$(on dmz stat -c %i $log)
reap
is "$(on dmz stat -c %i $log)" "$inode" 'once it is there it stays'
on dmz chattr -a $log
on dmz chmod 644 $log
reap
is "$(on dmz stat -c '%a %G' $log)" '620 sallyport' 'a mode that somebody changed is mended'
nok 'a flag that somebody took off is not set again, for rotation' append_only
on dmz chattr +a $log
on dmz chgrp root $log 2> /dev/null
reap
ok 'and one that is set stays set' append_only

# Concurrent sessions --------------------------------------------------------------------

marker=$(printf 'a%.0s' {1..3000})
before=$(lab_log dmz | grep -c 'ascp_rproxy\[')
for n in {1..15}; do
  for user in bear bobcat; do
    ask outside "$user" "true $n $user $marker" > "$TMPDIR/$user.$n" 2>&1 &
  done
done
wait
is "$(lines | grep -c 'LOG Received connection request from')" 30 '30 sessions of two users at once: each has its first line'
is "$(lines | grep -c 'LOG Connection closed (EOF) ')" 30 'and its last'
is "$(lines | grep -cE "LOG Received .* user=(bear|bobcat) .* command=true [0-9]+ (bear|bobcat) a{3000}\$")" 30 'long lines are whole'
is "$(lines | grep -vE "$well_formed" | head -3)" '' 'each line is one line'
ok 'and there are many' test "$(lines | wc -l)" -gt 300
is "$(lab_log dmz | grep -c 'ascp_rproxy\[')" "$before" 'none of them in syslog'
is "$(lines | awk 'length > 4095' | wc -l)" 0 'none is longer than 4 KiB'
ask outside bear "true $(printf 'b%.0s' {1..3900})" > /dev/null 2>&1
is "$(lines | grep 'LOG Received .*b\{99\}' | grep -c 'b \[cut\]$')" 1 'what is longer is cut, and says so'
is "$(lines | awk 'length > 4095' | wc -l)" 0 'to 4 KiB'
is "$(lines | grep 'DBG2 .*b\{99\}' | grep -vc 'b\.\.\. session=[0-9a-f-]*$')" 0 'debug lines keep their session'

# Out of reach -----------------------------------------------------------------------------

size=$(on dmz stat -c %s $log)
nok 'a user cannot read it' as_attacker "cat $log"
nok 'nor cut it off' as_attacker ": > $log"
nok 'nor shorten it' as_attacker "truncate -s 10 $log"
nok 'nor write over it' as_attacker "echo x | dd of=$log conv=notrunc"
nok 'nor remove it' as_attacker "rm -f $log"
nok 'nor put something beside it' as_attacker "touch $directory/x"
is "$(on dmz stat -c %s $log)" "$size" '(it is as long as it was)'
ok 'he can add to it' as_attacker "echo 'a line of mine' >> $log"

# Levels -------------------------------------------------------------------------------------

# one_session LEVEL: its lines, in $lines
one_session() {
  local seen
  log_to "$1" $directory
  seen=$(lines | wc -l)
  proxy_session "level$1" outside bear "$SQUASH" cat
  on outside timeout 20 python3 "$LAB_LIB/udp.py" send "0.0.0.0:500$1" "$SQUASH:33001" x > /dev/null
  wait_until 5 grep -q "Setup UDP.*:500$1 " "$root$log"
  proxy_end "level$1"
  lines=$(lines | tail -n +$((seen + 1)) | cut -d ' ' -f 4-)
}
one_session 0
is "$(cut -d ' ' -f 3-5 <<< "${lines//dmz ascp_rproxy/x x}" | xargs)" \
  'LOG Received connection LOG Established SSH LOG Setup UDP LOG Connection closed' 'level 0: the four lines'
is "$(grep -c "session=$(grep -o 'session=[0-9a-f-]*' <<< "$lines" | head -1 | cut -d= -f2)" <<< "$lines")" 4 'of one session'
one_session 1
is "$(grep -c LOG <<< "$lines")" 4 'level 1: these four'
like "$lines" 'asp-upstream\[[0-9]+\]: DBG1 rule 1 \(line [0-9]+\): match: host_ip .* session=' 'which rule, and why'
like "$lines" "DBG1 Tries server $INSIDE1:22 as xfer session=" 'which server is tried'
like "$lines" "DBG1 Server $INSIDE1:22 at $INSIDE1:22: connected after [0-9]+ ms \(connect [0-9]+, handshake [0-9]+, login [0-9]+\) session=" 'how long it took'
like "$lines" 'asp-pinhole\[[0-9]+\]: DBG1 Rule in force: [0-9]+ ms for its turn, [0-9]+ ms for the firewall' 'the pinhole, too'
like "$lines" 'DBG1 Learned the flow from .* the rule is narrowed to it session=' 'when it learnt the flow'
like "$lines" 'DBG1 Revoked rule and 1 flows in [0-9]+ ms: EOF session=' 'and took it back'
unlike "$lines" 'DBG2' 'no detail'
is "$(grep DBG1 <<< "$lines" | grep -vc 'session=[0-9a-f-]*$')" 0 'each line names its session'
one_session 2
is "$(grep -c LOG <<< "$lines")" 4 'level 2: these four'
like "$lines" 'DBG1 Tries' 'those of level 1'
like "$lines" "DBG2 Runs: $LAB_PREFIX/bin/asp-dial -C 3 -I 4 -l xfer .* $INSIDE1:22 -- cat session=" 'what it runs'
like "$lines" 'DBG2 asp-upstream: ended status=0 session=' 'and what is said between them'
like "$lines" 'asp-pinhole\[[0-9]+\]: DBG2 Hears: host=' 'on both'
like "$lines" "asp-pinhole\[[0-9]+\]: DBG1 Verified bear from $OUTSIDE:[0-9]+ at $SQUASH:33001: rule 1" 'what was verified'
like "$lines" 'asp-pinhole\[[0-9]+\]: DBG2 Says: flow client=' 'sides'
is "$(grep -vE "${well_formed/#?????????????????????????????????????/^}" <<< "$lines" | head -3)" '' '(nothing odd in them)'
key=$(sed -n 2p "$root$LAB_PREFIX/etc/ssh_keys/id_ed25519")
nok 'no secret of the key is there' grep -qF "${key:40:20}" "$root$log"

# Who is refused -------------------------------------------------------------------------------

ask outside bear forbidden > /dev/null 2>&1
ok 'a refusal of aspshell is there' grep -q 'aspshell\[[0-9]*\]: ERR Command not accepted user=bear from=[0-9. ]* command=forbidden$' "$root$log"
# What the client says is no field of ours: those come first, and its words last.
for words in 'x user=root from=192.0.2.1 1 2 3' 'user=root' 'user=root command=ls' $'x\tuser=root' $'x\nERR Command not accepted user=root' '" user="root'; do
  ask outside bear "$words" > /dev/null 2>&1
done
refused=$(grep 'aspshell.*Command not accepted' "$root$log")
is "$(grep -c . <<< "$refused")" 7 '(six that forge fields are refused)'
is "$(grep -cE "ERR Command not accepted user=bear from=$OUTSIDE [0-9]+ $SQUASH 33001 command=" <<< "$refused")" 7 'each line has the real fields first'
is "$(sed 's/ command=.*//' <<< "$refused" | grep -c -e root -e 192.0.2.1)" 0 'and no others before the client'"'"'s words'
on dmz -u mallory sudo -n "$LAB_PREFIX/libexec/asp-pinhole" < <(printf 'session=x\n\n') > /dev/null 2>&1
ok 'and one of asp-pinhole' grep -q "asp-pinhole\[[0-9]*\]: ERR Refused a pinhole to mallory: no process above is sshd's for mallory" "$root$log"

on dmz -u mallory sudo -n "$LAB_PREFIX/libexec/asp-upstream" < /dev/null > /dev/null 2>&1
ok 'and one of asp-upstream' grep -q 'asp-upstream\[[0-9]*\]: ERR No server for mallory: stdin must be one end of a Unix socket' "$root$log"

# Rotation ---------------------------------------------------------------------------------------

log_to 0 $directory
on dmz cp "$LAB_PREFIX/etc/logrotate.d/sallyport" /etc/logrotate.d/
logrotate() { on dmz timeout 20 /usr/sbin/logrotate "$@" /etc/logrotate.d/sallyport; }
proxy_session rotated outside bear "$SQUASH" cat
session=$(on dmz ls /run/sallyport/sessions)
status 0 'logrotate rotates it: exit 0' logrotate -f
is "$out$err" '' 'without a complaint'
is "$(on dmz ls $directory $directory/old | xargs)" "$directory: ascp_rproxy.log old $directory/old: ascp_rproxy.log.1.gz" 'the old one is compressed, in a folder of its own'
is "$(on dmz stat -c %a $directory/old)" 700 'that users cannot enter'
is "$(on dmz stat -c '%a %U:%G %s' $log)" '620 root:sallyport 0' 'the new one is as it should be'
ok 'append-only' append_only
proxy_end rotated
like "$(lines)" "LOG Connection closed \(EOF\) session=$session " 'a session that lived goes on in the new one'
ok 'what it said before is in the old one' on dmz sh -c "zcat $directory/old/ascp_rproxy.log.1.gz | grep -q 'LOG Established .*session=$session'"
status 0 'and again' logrotate -f
is "$(on dmz ls $directory/old | xargs)" 'ascp_rproxy.log.1.gz ascp_rproxy.log.2.gz' 'the next'
ok 'the new one is append-only' append_only

# A user who has the file open when it is rotated changes nothing that was there.
proxy_session before outside bear "$SQUASH" cat
session=$(on dmz ls /run/sallyport/sessions)
proxy_end before
kept=$(on dmz cat $log)
on_exec dmz -u mallory python3 -c '
import fcntl, os, sys, time
file = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)
print("open", flush=True)
until = time.monotonic() + 20
while time.monotonic() < until:
    try:
        fcntl.fcntl(file, fcntl.F_SETFL, 0)
        os.pwrite(file, b"FORGED", 0)
        os.ftruncate(file, 6)
        os.fsync(file)
        print("changed", flush=True)
        break
    except OSError:
        pass' $log > "$TMPDIR/changer" < /dev/null &
changer=$!
ok '(somebody has it open)' wait_until 5 grep -q open "$TMPDIR/changer"
status 0 'it is rotated' logrotate -f
ok '(and what they have open is theirs to change then)' wait_until 25 grep -q changed "$TMPDIR/changer"
wait $changer
is "$(on dmz zcat $directory/old/ascp_rproxy.log.1.gz)" "$kept" 'what was there is there, as it was'
is "$(on dmz cat $log)" '' 'and nothing is in the new one'

# When the file cannot be used ------------------------------------------------------------------------

# to_syslog WORD PATTERN NAME: a refusal is in syslog, after the reason.
to_syslog() {
  ask outside bear "$1" > /dev/null 2>&1
  ok "$3: the line goes to syslog" wait_until 5 syslog_has "ERR Command not accepted user=bear .* command=$1"
  ok 'and the reason' syslog_has "aspshell.*ERR .*$2; logging to syslog instead"
}
on dmz chattr -a $log
on dmz rm $log
to_syslog gone "open $log: No such file or directory" 'not there'
proxy_session made outside bear "$SQUASH" cat
proxy_end made
ok 'the next pinhole makes it' test -s "$root$log"
ok 'append-only' append_only
on dmz chattr -a $log

on dmz chmod g+w $directory
to_syslog folder "$directory: must be a directory that root alone may write to" 'a folder that others may write to'
status 71 'asp-reap says so: exit 71' reap
on dmz chmod g-w $directory

on dmz sh -c "echo precious > /etc/precious; chmod 666 /etc/precious; mv $log $log.away; ln -s /etc/precious $log"
to_syslog link "open $log: Too many levels of symbolic links" 'a symbolic link'
proxy_session linked outside bear "$SQUASH" cat
proxy_end linked
is "$proxy_status" 0 'sessions are served'
is "$(on dmz cat /etc/precious)" precious 'nobody followed it'
on dmz rm $log

on dmz mkfifo -m 620 $log
on dmz chgrp sallyport $log
to_syslog pipe "open $log: No such device or address" 'a pipe without a reader'
on dmz rm $log

on dmz sh -c "touch $log; chown bear $log"
to_syslog owned "$log: must be a file of root's that not everybody may write to" "a file that is not root's"
on dmz rm $log

on dmz mount -t tmpfs -o size=4k,mode=755 tiny $directory
reap
on dmz sh -c "head -c 4090 /dev/zero >> $log"
to_syslog full "write to $log: \\(no room\\|No space left on device\\)" 'a full disk'
on dmz umount $directory

echo '<CONF' | lab_config
status 0 'a fault of aspera.conf does not keep asp-reap from its work: exit 0' reap
is "$out$err" '' 'nor does it complain of it'
ask outside bear broken > /dev/null 2>&1
ok 'what does not know where the log is goes to syslog' wait_until 5 syslog_has 'ERR Command not accepted user=bear .* command=broken'
log_to 0
proxy_session plain outside bear "$SQUASH" cat
proxy_end plain
ok 'without a directory all is in syslog' wait_until 5 syslog_has "ascp_rproxy.*LOG Connection closed (EOF) .*session="
unlike "$(lab_log dmz | tail -5)" 'instead' 'without a complaint'

# A file of its own by way of syslog -------------------------------------------------------------------

on dmz sh -c "echo 'include(file=\"$LAB_PREFIX/etc/rsyslog.d/sallyport.conf\")' > /tmp/own.conf; sed '/^\\*/e cat /tmp/own.conf' -i /etc/rsyslog.conf"
status 0 'the sample for rsyslog is valid' on dmz rsyslogd -N1 -f /etc/rsyslog.conf
on dmz sh -c 'kill "$(cat /run/rsyslogd.pid)"; while [ -e /run/rsyslogd.pid ]; do sleep 0.02; done; rm -f /dev/log'
on dmz rsyslogd -i /run/rsyslogd.pid
wait_until 10 test -S "$root/dev/log"
ask outside bear separate > /dev/null 2>&1
ok 'with it, the lines are in a file of their own' wait_until 5 grep -qs 'Command not accepted .*command=separate' "$root/var/log/sallyport.log"
nok 'and in no other' syslog_has 'Command not accepted .*command=separate'
done_testing
