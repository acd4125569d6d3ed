#!/bin/bash
# The log in a file of its own: whole lines of concurrent sessions, by root alone, out of
# reach of their users, who have a share of it; levels; rotation; the file of an older
# release; and syslog when the file cannot be used.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

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
# as_attacker COMMAND: by somebody who broke out of aspshell
as_attacker() { on dmz -u mallory bash -c "$1" 2> /dev/null; }
refused_pinhole() { on dmz -u mallory sudo -n "$LAB_PREFIX/libexec/asp-pinhole" < /dev/null > /dev/null 2>&1; }
lines() { cat "$root$log"; }
syslog_has() { lab_log dmz | grep -q -- "$1"; }
well_formed='^[A-Z][a-z]{2} [ 1-3][0-9] [0-9:]{8} dmz (aspshell|ascp_rproxy|asp-pinhole|asp-upstream)\[[0-9]+\]: (LOG|ERR|DBG1|DBG2) [ -~]*$'

# The file -----------------------------------------------------------------------------

log_to 2 $directory
nok '(it is not there)' test -e "$root$directory"
status 0 'asp-reap makes the directory: exit 0' reap
is "$out$err" '' 'silently'
is "$(on dmz ls -A $directory)" '' 'and nothing in it'
refused_pinhole
is "$(on dmz stat -c '%A %U:%G' $directory $log | xargs)" 'drwxr-xr-x root:root -rw------- root:root' 'the first line makes the file, for root alone'
on dmz chmod 640 $log
on dmz chgrp adm $log
reap
refused_pinhole
is "$(on dmz stat -c '%a %G' $log)" '640 adm' 'others that shall read it may'
is "$(lines | grep -c 'Refused a pinhole to mallory')" 2 '(each line is there)'

# Concurrent sessions --------------------------------------------------------------------

marker=$(printf 'a%.0s' {1..3000})
before=$(lab_log dmz | grep -cE 'asp-(upstream|pinhole)\[')
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
ok 'and there are many' test "$(lines | wc -l)" -gt 150
is "$(lab_log dmz | grep -cE 'asp-(upstream|pinhole)\[')" "$before" 'none of them in syslog'
is "$(lab_log dmz | grep -c 'ascp_rproxy.*LOG Connection closed (EOF) .* key=SHA256:')" 30 'which has what ascp_rproxy says itself'
is "$(lines | awk 'length > 4095' | wc -l)" 0 'none is longer than 4 KiB'
ask outside bear "true $(printf 'b%.0s' {1..3900})" > /dev/null 2>&1
is "$(lines | grep 'LOG Received .*b\{99\}' | grep -c 'b \[cut\]$')" 1 'what is longer is cut, and says so'
is "$(lines | awk 'length > 4095' | wc -l)" 0 'to 4 KiB'
is "$(lines | grep 'DBG2 .*b\{99\}' | grep -vc 'b\.\.\. session=[0-9a-f-]*$')" 0 'debug lines keep their session'

# Out of reach -----------------------------------------------------------------------------

size=$(on dmz stat -c %s $log)
nok 'a user cannot read it' as_attacker "cat $log"
nok 'nor add to it' as_attacker "echo x >> $log"
nok 'nor cut it off' as_attacker ": > $log"
nok 'nor shorten it' as_attacker "truncate -s 10 $log"
nok 'nor write over it' as_attacker "echo x | dd of=$log conv=notrunc"
nok 'nor lock it' as_attacker "flock -n $log true"
nok 'nor remove it' as_attacker "rm -f $log"
nok 'nor put something in its place' as_attacker "ln -sf /etc/passwd $log"
nok 'nor beside it' as_attacker "touch $directory/x"
nok 'nor say how much it had of it' as_attacker "rm -f /run/sallyport/logged/* || truncate -s 0 /run/sallyport/logged/*"
is "$(on dmz stat -c %s $log)" "$size" '(it is as long as it was)'
proxy_session held outside bear "$SQUASH" cat
is "$(on dmz sh -c "for pid in /proc/[0-9]*; do ls -l \$pid/fd 2> /dev/null; done" | grep -c "$directory")" 0 'no process of a session has it open'
proxy_end held

# A share ------------------------------------------------------------------------------------

uid=$(on dmz id -u mallory)
share=/run/sallyport/logged/$uid
used=$(on dmz stat -c %s "$share")
size=$(on dmz stat -c %s $log)
refused_pinhole
is "$(on dmz stat -c %s "$share")" $((used + ($(on dmz stat -c %s $log) - size + 255) / 256)) 'lines count for the user that they are about, by 256 bytes'
on dmz truncate -s $((64 * 4096 - 1)) "$share"
refused_pinhole
ok 'the last of 64 MiB is his' grep -q 'Refused a pinhole to mallory' <(lines | tail -1)
size=$(on dmz stat -c %s $log)
for _ in 1 2 3; do refused_pinhole; done
is "$(on dmz stat -c %s $log)" "$size" 'then no more lines about him are in the file'
ok 'but in syslog' wait_until 5 syslog_has 'asp-pinhole.*ERR Refused a pinhole to mallory'
ok 'with the reason' syslog_has "asp-pinhole.*ERR the lines of uid $uid have reached what one user may add in a day (64 MiB); logging to syslog instead"
ask outside bear 'true share' > /dev/null 2>&1
ok 'those about others are there' grep -q 'LOG Received .* user=bear .*command=true share' "$root$log"
on dmz touch -d '1 day ago' "$share"
refused_pinhole
is "$(lines | tail -2 | grep -c 'Refused a pinhole to mallory') $(on dmz stat -c %s "$share")" '1 2' 'and his of the next day, too'

# Levels -------------------------------------------------------------------------------------

lab_udp inside1 echo "$INSIDE1:33001" "$TMPDIR/received"
# one_session LEVEL: its lines, in $lines
one_session() {
  local seen
  log_to "$1" $directory
  seen=$(lines | wc -l)
  proxy_session "level$1" outside bear "$SQUASH" cat
  on outside timeout 20 python3 "$LAB_LIB/udp.py" send "0.0.0.0:500$1" "$SQUASH:33001" x > /dev/null
  wait_until 5 grep -q "Setup UDP.*:500$1 " "$root$log"
  proxy_end "level$1"
  lines=$(lines | tail -n +$((seen + 1)) | cut -c 17-)  # without the time, whose day may have a blank
}
one_session 0
steps=$(cut -d ' ' -f 3-5 <<< "${lines//dmz ascp_rproxy/x x}")
is "$(head -3 <<< "$steps" | xargs)" 'LOG Received connection LOG Established SSH LOG Setup UDP' 'level 0: the steps'
is "$(tail -n +4 <<< "$steps" | sort | xargs)" 'LOG Closed UDP LOG Connection closed' 'to the end'
is "$(grep -c "session=$(grep -o 'session=[0-9a-f-]*' <<< "$lines" | head -1 | cut -d= -f2)" <<< "$lines")" 5 'of one session'
is "$(grep -cE "session=[0-9a-f-]+ user=bear client=$OUTSIDE:[0-9]+ proxy=$SQUASH:33001" <<< "$lines")" 5 'each says whose'
is "$(grep -cE "rule=1 server=$INSIDE1:22 upstream_user=xfer" <<< "$lines")" 4 'and where it goes'
like "$lines" "LOG Closed UDP forwarding between $OUTSIDE:5000 and $INSIDE1:[0-9]+ .* bytes=[0-9]+ packets=[1-9]" 'what was carried'
like "$lines" 'LOG Connection closed \(EOF\) .* seconds=[0-9.]+' 'how long it took'
one_session 1
is "$(grep -c LOG <<< "$lines")" 5 'level 1: these'
like "$lines" 'asp-upstream\[[0-9]+\]: DBG1 rule 1 \(line [0-9]+\): match: host_ip .* session=' 'which rule, and why'
like "$lines" "DBG1 Tries server $INSIDE1:22 as xfer session=" 'which server is tried'
like "$(lab_log dmz)" "DBG1 Server $INSIDE1:22 at $INSIDE1:22: connected after [0-9]+ ms \(connect [0-9]+, handshake [0-9]+, login [0-9]+\) session=" 'how long it took'
like "$lines" 'asp-pinhole\[[0-9]+\]: DBG1 Rule in force: [0-9]+ ms for its turn, [0-9]+ ms for the firewall' 'the pinhole, too'
like "$lines" 'DBG1 Learned the flow from .* the rule is narrowed to it session=' 'when it learnt the flow'
like "$lines" 'DBG1 Revoked rule and 1 flows in [0-9]+ ms: EOF session=' 'and took it back'
unlike "$lines" 'DBG2' 'no detail'
is "$(grep DBG1 <<< "$lines" | grep -vc 'session=[0-9a-f-]*$')" 0 'each line names its session'
one_session 2
is "$(grep -c LOG <<< "$lines")" 5 'level 2: these'
like "$lines" 'DBG1 Tries' 'those of level 1'
like "$lines" "DBG2 Runs: $LAB_PREFIX/bin/asp-dial -C 3 -I 4 -n $LAB_PREFIX/etc/ssh_keys/id_ed25519 -l xfer .* $INSIDE1:22 -- cat session=" 'what it runs'
like "$(lab_log dmz)" 'DBG2 asp-upstream: ended status=0 session=' 'and what is said between them'
like "$lines" 'asp-pinhole\[[0-9]+\]: DBG2 Hears: host=' 'on both'
like "$lines" "asp-pinhole\[[0-9]+\]: DBG1 Verified bear from $OUTSIDE:[0-9]+ at $SQUASH:33001: rule 1" 'what was verified'
like "$lines" 'asp-pinhole\[[0-9]+\]: DBG2 Says: flow client=' 'sides'
is "$(grep -vE "${well_formed/#?????????????????????????????????????/^}" <<< "$lines" | head -3)" '' '(nothing odd in them)'
key=$(sed -n 2p "$root$LAB_PREFIX/etc/ssh_keys/id_ed25519")
nok 'no secret of the key is there' grep -qF "${key:40:20}" "$root$log"

# Who is refused -------------------------------------------------------------------------------

ask outside bear forbidden > /dev/null 2>&1
ok 'a refusal of aspshell is in syslog' wait_until 5 syslog_has 'aspshell\[[0-9]*\]: ERR Command not accepted user=bear from=[0-9. ]* command=forbidden$'
# What the client says is not a field of ours: those come first, and its words last.
for words in 'x user=root from=192.0.2.1 1 2 3' 'user=root' 'user=root command=ls' $'x\tuser=root' $'x\nERR Command not accepted user=root' '" user="root'; do
  ask outside bear "$words" > /dev/null 2>&1
done
refused=$(lab_log dmz | grep 'aspshell.*Command not accepted')
is "$(grep -c . <<< "$refused")" 7 '(six that forge fields are refused)'
is "$(grep -cE "ERR Command not accepted user=bear from=$OUTSIDE [0-9]+ $SQUASH 33001 command=" <<< "$refused")" 7 'each line has the real fields first'
is "$(sed 's/ command=.*//' <<< "$refused" | grep -c -e root -e 192.0.2.1)" 0 'and no others before the client'"'"'s words'
on dmz -u mallory sudo -n "$LAB_PREFIX/libexec/asp-pinhole" < <(printf 'session=x\n\n') > /dev/null 2>&1
ok 'and one of asp-pinhole' grep -q "asp-pinhole\[[0-9]*\]: ERR Refused a pinhole to mallory: no parent process is sshd's for mallory" "$root$log"

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
is "$(on dmz ls $directory | xargs)" 'ascp_rproxy.log ascp_rproxy.log.1' 'by its name'
is "$(on dmz stat -c '%a %U:%G %s' $log)" '640 root:adm 0' 'the new one is as it should be'
proxy_end rotated
like "$(lines)" "LOG Connection closed \(EOF\) session=$session " 'a session that lived goes on in the new one'
ok 'what it said before is in the old one' grep -q "LOG Established .*session=$session" "$root$log.1"
all() { on dmz sh -c "cat $log $log.1; zcat $log.*.gz 2> /dev/null"; }
before=$(all | grep -c 'Refused a pinhole to mallory')
on dmz -u mallory sh -c 'for n in $(seq 60); do sudo -n "$1" < /dev/null > /dev/null 2>&1; done' sh "$LAB_PREFIX/libexec/asp-pinhole" &
flood=$!
for _ in 1 2 3 4 5; do
  seen=$(all | grep -c 'Refused a pinhole to mallory')
  wait_until 20 sh -c "[ \$(wc -l < $root$log) -gt 3 ]" || break
  logrotate -f || break
done
ok '(it was rotated five times meanwhile)' on dmz test -e $log.6.gz
wait $flood
is $(($(all | grep -c 'Refused a pinhole to mallory') - before)) 60 'no line is lost'
ok '(the last came in between)' test "$seen" -lt $((before + 60))

# The file of an older release -----------------------------------------------------------------------

# Sessions could add to it, and somebody has it open.
on dmz sh -c "rm $log; seq 100000 > $log; chgrp sallyport $log; chmod 620 $log; chattr +a $log"
kept=$(on dmz sha256sum $log)
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
        print("changed", flush=True)
        break
    except OSError:
        pass' $log > "$TMPDIR/changer" < /dev/null &
changer=$!
ok '(somebody has it open)' wait_until 5 grep -q open "$TMPDIR/changer"
refused_pinhole
is "$(on dmz cat $log | wc -l)" 100000 'nothing is added to what others can write to'
ok 'which syslog says' wait_until 5 syslog_has "asp-pinhole.*ERR $log: must be a file that root alone may write to; logging to syslog instead"
status 0 'asp-reap takes its place: exit 0' reap
is "$out$err" '' 'silently'
is "$(on dmz stat -c '%a %U:%G' $log)" '600 root:root' "with a file of root's"
ok '(what they have open is theirs to change then)' wait_until 25 grep -q changed "$TMPDIR/changer"
wait $changer
is "$(on dmz sha256sum $log)" "$kept" 'what was there is there, as it was'
is "$(on dmz ls -A $directory | grep -c '^\.')" 0 'and nothing is left beside it'
refused_pinhole
ok 'it takes lines' grep -q 'Refused a pinhole to mallory' "$root$log"

# When the file cannot be used ------------------------------------------------------------------------

# to_syslog PATTERN NAME: a refusal is in syslog, after the reason.
to_syslog() {
  local before
  before=$(lab_log dmz | grep -c 'ERR Refused a pinhole to mallory')
  refused_pinhole
  ok "$2: the reason goes to syslog" wait_until 5 syslog_has "asp-pinhole.*ERR .*$1; logging to syslog instead"
  is "$(lab_log dmz | grep -c 'ERR Refused a pinhole to mallory')" $((before + 1)) 'and the line'
}
on dmz rm $log
on dmz chmod g+w $directory
to_syslog "$directory: must be a directory that root alone may write to" 'a folder that others may write to'
status 71 'asp-reap says so: exit 71' reap
on dmz chmod g-w $directory

on dmz sh -c "echo precious > /etc/precious; chmod 666 /etc/precious; ln -s /etc/precious $log"
to_syslog "open $log: Too many levels of symbolic links" 'a symbolic link'
status 71 'asp-reap does not take its place: exit 71' reap
proxy_session linked outside bear "$SQUASH" cat
proxy_end linked
is "$proxy_status" 0 'sessions are served'
is "$(on dmz cat /etc/precious)" precious 'nobody followed it'
on dmz rm $log

on dmz mkfifo -m 600 $log
to_syslog "open $log: No such device or address" 'a pipe without a reader'
on dmz rm $log

on dmz sh -c "touch $log; chown bear $log"
to_syslog "$log: must be a file that root alone may write to" "a file that is not root's"
on dmz rm $log

on dmz mount -t tmpfs -o size=4k,mode=755 tiny $directory
refused_pinhole
on dmz sh -c "head -c 4090 /dev/zero >> $log" 2> /dev/null
to_syslog "write to $log: \\(no room\\|No space left on device\\)" 'a full disk'
on dmz umount $directory

echo '<CONF' | lab_config
status 0 'a fault of aspera.conf does not keep asp-reap from its work: exit 0' reap
is "$out$err" '' 'nor does it complain of it'
before=$(lab_log dmz | grep -c 'ERR Refused a pinhole to mallory')
refused_pinhole
is "$(lab_log dmz | grep -c 'ERR Refused a pinhole to mallory')" $((before + 1)) 'what does not know where the log is goes to syslog'
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
