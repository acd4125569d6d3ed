#!/bin/bash
# A file system is full, by its blocks or its inodes: /run/sallyport, <log_directory>,
# /var/lib/sallyport, /var/log. Who transfers goes on; who comes is told, and the log says
# which file; what administrators need works; and all is well once there is room.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside outside2 inside1
proxy_allow cat
dmz=$(lab_root dmz)
on dmz sed -i 's|<rules>|<log_directory>/var/log/asp</log_directory>&|' "$LAB_PREFIX/etc/aspera.conf"
lab_udp inside1 echo "$INSIDE1:33001" "$TMPDIR/received"
bin=$LAB_PREFIX/bin

# small DIRECTORY SIZE INODES: a file system of its own there, with what was in it.
small() {
  on dmz sh -c "mkdir -p $1 /root/small && cp -a $1/. /root/small/ && mount -t tmpfs -o size=$2,nr_inodes=$3,mode=755 small $1 && cp -a /root/small/. $1/ && rm -r /root/small"
}
fill() {  # DIRECTORY blocks|inodes
  case $2 in
    blocks) on dmz sh -c "head -c 100M /dev/zero > $1/filled" 2> /dev/null ;;
    inodes) on dmz sh -c "i=0; mkdir -p $1/many; while : > $1/many/\$i; do i=\$((i + 1)); done" 2> /dev/null ;;
  esac
  return 0
}
room() { on dmz rm -rf "$1/filled" "$1/many"; }
session() { capture on outside2 -u bear timeout 60 ssh -p 33001 "bear@$SQUASH" cat <<< hello; }
transfers() {  # the session that began before: both ways, and its UDP
  echo "$1" >&"${proxy_stdin[old]}"
  wait_until 5 grep -q "^$1\$" "$TMPDIR/old.out" && packet "$1"
}
packet() { on outside timeout 5 python3 "$LAB_LIB/udp.py" send "0.0.0.0:5001" "$SQUASH:33001" "$1" --wait-reply 5 > /dev/null 2>&1; }
check() { on dmz timeout 60 "$bin/asperaproxy" check | grep -E " $1: "; }
errors() { on dmz sh -c 'cat /var/log/syslog; cat /var/log/asp/ascp_rproxy.log' 2> /dev/null | grep "ERR " | tail -4; }

# /run/sallyport --------------------------------------------------------------------------------

run=/run/sallyport
small $run 1M 200
for kind in blocks inodes; do
  tap_about="$run full, $kind: "
  proxy_session old outside bear "$SQUASH" cat
  ok '(a session)' transfers before-$kind
  fill $run $kind
  session
  is "$code|$out|$err" '71||This proxy could not serve the session. Tell the administrator.' 'nobody comes in, and the user is told' || diag "$(errors)"
  like "$(errors)" "(write|open|mkdir) $run/[^:]*: No space left on device" 'the log has the file and the reason'
  ok 'who transfers goes on' transfers during-$kind
  proxy_forget_rules
  capture on dmz timeout 20 "$bin/asp-reap"
  if [ $kind = blocks ]; then is "$code|$err" '0|' 'asp-reap works'
  else like "$code|$err" "^71.asp-reap: open $run/logged/reap: No space left on device" 'asp-reap does all but to look after the log, and says so'; fi
  is "$(proxy_rules)" 1 'it puts the rule back that the firewall had lost'
  like "$(check room)" "^FAIL .*cannot write to $run: No space left on device" 'the doctor says so'
  ok 'who transfers still goes on' transfers after-$kind
  capture on dmz timeout 30 "$bin/asperaproxy" stop
  if [ $kind = blocks ]; then is "$code" 0 'stop works'
  else like "$code|$err" "^71.*all sessions are ended, but new ones will be accepted as soon as there is room: open $run/stopped: No space" 'stop ends all sessions, and says that new ones will come'; fi
  is "$(proxy_rules)/$(proxy_open_sessions)" 0/0 'nothing is left'
  proxy_end old
  room $run
  on dmz "$bin/asperaproxy" start > /dev/null
  session
  is "$code|$out" '0|hello' 'with room again, sessions come in'
  like "$(check room)" '^ok ' 'and the doctor is content'
done
tap_about=

# <log_directory> --------------------------------------------------------------------------------

small /var/log/asp 64k 20
for kind in blocks inodes; do
  tap_about="<log_directory> full, $kind: "
  on dmz rm -f /var/log/asp/ascp_rproxy.log
  # Its last page has room for 50 bytes: a line of the session's would be cut there.
  [ $kind = inodes ] || on dmz sh -c "umask 077; yes filler | head -c 4045 | { cat; echo; } > /var/log/asp/ascp_rproxy.log"
  fill /var/log/asp $kind
  session
  is "$code|$out" '0|hello' 'sessions come in'
  [ $kind = inodes ] || is "$(on dmz stat -c %s /var/log/asp/ascp_rproxy.log)" 4046 'a line that does not fit is left out, not cut' ||
    diag "$(on dmz tail -n 2 /var/log/asp/ascp_rproxy.log)"
  like "$(on dmz cat /var/log/syslog | grep -c 'ERR .*/var/log/asp.*: No space left on device; logging to syslog instead')" '^[1-9]' 'the log goes to syslog, and says why'
  like "$(check log_directory)" '^FAIL .*cannot write to /var/log/asp: No space left on device, so the log is in syslog' 'the doctor says so'
  status 0 'asp-reap works' on dmz timeout 20 "$bin/asp-reap"
  room /var/log/asp
  session
  is "$(on dmz grep -Ec ' dmz as.* dmz as' /var/log/asp/ascp_rproxy.log)" 0 'with room again, no line runs into another'
  like "$(on dmz tail -n 1 /var/log/asp/ascp_rproxy.log)" ' LOG ' 'and the log goes on there'
  : > "$dmz/var/log/syslog"
done
tap_about=

# Somebody has the lock of the log's file, and does not end.
on_exec dmz flock /var/log/asp/ascp_rproxy.log tail -f /dev/null &
locker=$!
ok '(somebody has the lock of the log)' wait_until 5 eval '! on dmz flock -n /var/log/asp/ascp_rproxy.log true'
began=$SECONDS
session
is "$code|$out" '0|hello' 'the log is locked: sessions come in'
ok 'soon' test $((SECONDS - began)) -le 15
like "$(on dmz cat /var/log/syslog)" 'ERR write to /var/log/asp/ascp_rproxy.log: somebody else does, and does not end; logging to syslog instead' 'the log goes to syslog, and says why'
# shellcheck disable=SC2046  # a list of numbers
kill $(lab_pids dmz tail)
wait "$locker" 2> /dev/null

# What else is written to -----------------------------------------------------------------------

small /var/lib/sallyport 4k 10
fill /var/lib/sallyport blocks
small /var/log 1M 100
fill /var/log blocks
session
is "$code|$out" '0|hello' 'sessions need neither /var/lib/sallyport nor /var/log'
capture on dmz "$bin/asp-deluser" bobcat
like "$code|$err" '^7[14]\|asp-deluser: .*/var/lib/sallyport.*: No space left on device' 'asp-deluser says what is full'
room /var/lib/sallyport
ok 'and can be called again' on dmz "$bin/asp-deluser" bobcat
done_testing
