#!/bin/bash
# Something hangs (SIGSTOP) at some step of somebody's session: a helper, the server
# inside, whoever has the firewall's lock, syslog. Others hardly notice: how long at most
# is in ARCHITECTURE.md, "How long anything waits". Redis, asperanoded and asp-lease hang in
# t/cluster and t/contract/asperanoded-helper.t, sudo in t/e2e/sudo.t.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside outside2 inside1 inside2
proxy_allow cat
dmz=$(lab_root dmz)
bin=$LAB_PREFIX/bin
# bear's server can be stopped without others'.
on dmz sed -i "/host_ip=\"$INDIVIDUAL\"/,/<host>/s|<host>[^<]*|<host>$INSIDE2:22|; 0,/<host>/s|<host>|<connect_timeout>6</connect_timeout><host>|" "$LAB_PREFIX/etc/aspera.conf"
lab_udp inside1 echo "$INSIDE1:33001" "$TMPDIR/received1"
lab_udp inside2 echo "$INSIDE2:33001" "$TMPDIR/received2"

seconds_since() { echo $(((${EPOCHREALTIME/./} - $1) / 1000000)); }
# job NAME COMMAND...: in the background; its status and seconds go to a file.
declare -A job
job() {
  {
    local began=${EPOCHREALTIME/./}
    "${@:2}" > "$TMPDIR/$1.out" 2> "$TMPDIR/$1.err" < /dev/null
    echo "$? $(seconds_since "$began")" > "$TMPDIR/$1.job"
  } &
  job[$1]=$!
}
# over NAME STATUS SECONDS WHAT: it ended so, in so many seconds at most.
over() {
  local code took
  wait "${job[$1]}"
  read -r code took < "$TMPDIR/$1.job"
  [ "$code" = "$2" ] && [ "$took" -le "$3" ]
  tap_result $? "$4: within $3 s" || diag "status $code after $took s: $(cat "$TMPDIR/$1.err")"
}
new_session() { job "$1" on "$2" -u "$3" timeout 60 ssh -p 33001 "$3@$4" cat; }
packet() { on outside2 timeout 5 python3 "$LAB_LIB/udp.py" send "0.0.0.0:5001" "$INDIVIDUAL:33001" "$1" --wait-reply 5 > /dev/null 2>&1; }
goes_on() {  # the session of somebody else's that was there before
  echo "$1" >&"${proxy_stdin[old]}"
  wait_until 5 grep -q "^$1\$" "$TMPDIR/old.out" && packet "$1"
}
proxy_session old outside2 bobcat "$INDIVIDUAL" cat
ok "(somebody else's transfer runs)" goes_on begin
old_processes=$(lab_pids dmz '*')
of_one() { lab_pids dmz "$1" | grep -vxFf <(echo "$old_processes"); }
only_old() { [ "$(proxy_open_sessions)/$(proxy_rules)" = 1/1 ] && [ -z "$(of_one 'asp-*')" ]; }
gone() {  # the client, without a word
  local fd=${proxy_stdin[one]}
  kill -KILL "${proxy_pid[one]}"
  wait "${proxy_pid[one]}" 2> /dev/null
  exec {fd}>&-
}

# A process of a session that runs ----------------------------------------------------------------

while read -r victim who; do
  tap_about="$victim stopped: "
  proxy_session one outside bear "$SQUASH" cat
  stopped=$(of_one "$victim" | head -n 1)
  ok '(it is there)' kill -STOP $stopped
  # The worst place is the same client's.
  new_session set-up outside bobcat "$SQUASH"
  job reap on dmz timeout 60 "$bin/asp-reap"
  ok "somebody else's transfer goes on" goes_on "$victim"
  over reap 0 5 'asp-reap'
  over set-up 0 8 "another's set-up"
  gone
  [ "$who" = root ] || ok "the client goes: all is gone, while it is stopped" wait_until 20 only_old
  kill -CONT $stopped 2> /dev/null
  ok 'it goes on: all is gone' wait_until 20 only_old
done << 'END'
asp-pinhole  root
asp-upstream root
asp-dial     root
ascp_rproxy  user
END
tap_about=

# While a server is dialled -------------------------------------------------------------------------

listener=$(on inside1 cat /run/sshd.pid)
kill -STOP "$listener"
new_session dialled outside bear "$SQUASH"
ok '(a server hangs, and is dialled)' wait_until 10 eval '[ -n "$(of_one asp-dial)" ]'
kill -STOP $(of_one asp-dial)
new_session set-up outside bobcat "$INDIVIDUAL"
job reap on dmz timeout 60 "$bin/asp-reap"
ok "somebody else's transfer goes on" goes_on dialled
over reap 0 5 'its asp-dial is stopped, too: asp-reap'
over set-up 0 8 "another's set-up"
kill -KILL $(of_one asp-dial)
kill -CONT "$listener"
wait "${job[dialled]}"
ok 'all is gone' wait_until 20 only_old

# Who has the firewall's lock hangs -------------------------------------------------------------------

on_exec dmz flock /run/sallyport/lock sleep 1000 &
locker=$!
ok '(somebody holds the lock)' wait_until 5 eval '! on dmz flock -n /run/sallyport/lock true'
new_session set-up outside bear "$SQUASH"
job reap on dmz timeout 60 "$bin/asp-reap"
ok "somebody else's transfer goes on" goes_on lock
over set-up 75 16 'a set-up is refused as temporary'
over reap 75 14 'asp-reap gives up'
like "$(cat "$TMPDIR/reap.err")" "asp-reap: /run/sallyport/lock: still locked by process [0-9]+ \((flock|sleep)\) after 10 s" 'and names who has it'
kill $(of_one sleep) $locker
wait $locker 2> /dev/null
new_session after outside bear "$SQUASH"
over after 0 8 '(when it is free: a session)'

# syslog hangs --------------------------------------------------------------------------

proxy_session one outside bear "$SQUASH" cat
kill -STOP "$(on dmz cat /run/rsyslogd.pid)"
job health on dmz timeout 60 "$bin/asperaproxy" check
over health 1 60 'syslog hangs, and its queue has room: the doctor'
like "$(cat "$TMPDIR/health.out")" 'FAIL  syslog: it hangs: nobody took a line from /dev/log for 3 s\. .* - systemctl restart' 'says so, with a cure'
on dmz python3 -c 'import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.setblocking(False); s.connect("/dev/log")
try:
    while True: s.send(b"<15>full")
except BlockingIOError: pass'
job reap on dmz timeout 60 "$bin/asp-reap"
ok "somebody's transfer goes on" goes_on syslog
over reap 0 5 'its queue is full: asp-reap'
proxy_end one
is "$proxy_status" 0 'a session that runs ends as it should'
job stop on dmz timeout 60 "$bin/asperaproxy" stop
over stop 0 10 'stop'
proxy_end old
is "$(proxy_rules)/$(proxy_open_sessions)" 0/0 'nothing is left'
kill -CONT "$(on dmz cat /run/rsyslogd.pid)"
done_testing
