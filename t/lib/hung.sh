# hung.sh: somebody's transfer that was there before, and how long everything else takes, while
# something hangs. A story begins with
#
#   . "${0%/*}/../lib/hung.sh" [HOST...]   these hosts besides dmz, outside, outside2, inside1 and inside2
#   hung_begin
. "${BASH_SOURCE[0]%/*}/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"
lab_up dmz outside outside2 inside1 inside2 "$@"

bin=$LAB_PREFIX/bin
usual=0
# The rule at $INDIVIDUAL leads to a server of its own, that at $SQUASH to one that can be stopped.
hung_configure() {  # [EXPRESSION OF SED]
  proxy_allow cat
  on dmz sed -i "${1-}; /host_ip=\"$INDIVIDUAL\"/,/<host>/s|<host>[^<]*|<host>$INSIDE2:22|; 0,/<host>/s|<host>|<connect_timeout>6</connect_timeout><host>|" "$LAB_PREFIX/etc/aspera.conf"
}

seconds_since() { echo $(((${EPOCHREALTIME/./} - $1) / 1000000)); }
# no_stdins: whoever goes on in the background keeps no session's stdin open.
no_stdins() {
  local fd
  for fd in "${proxy_stdin[@]}"; do exec {fd}>&-; done
}
# job NAME COMMAND...: in the background; its status and seconds go to a file.
declare -A job
job() {
  {
    local began=${EPOCHREALTIME/./}
    no_stdins
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
  [ "$code" = "$2" ] && [ "$took" -le $(($3 + 3 * usual)) ]
  tap_result $? "$4: within $3 s (and what the machine adds)" || diag "status $code after $took s: $(cat "$TMPDIR/$1.err")"
}
new_session() { job "$1" on "$2" -u "$3" timeout 60 ssh -p 33001 "$3@$4" cat; }

# packet CLIENT PORT ADDRESS TEXT: there and back through the proxy
packet() { on "$1" timeout 5 python3 "$LAB_LIB/udp.py" send "0.0.0.0:$2" "$3:33001" "$4" --wait-reply 5 > /dev/null 2>&1; }
goes_on() {  # TEXT: both ways, and by UDP
  echo "$1" >&"${proxy_stdin[old]}"
  wait_until 5 grep -q "^$1\$" "$TMPDIR/old.out" && packet outside2 5001 "$INDIVIDUAL" "$1"
}
# hung_begin: somebody else's transfer, from here on; $usual is how many whole seconds its beginning took,
# none where the machine does nothing else.
hung_begin() {  # [EXPRESSION OF SED, for aspera.conf]
  hung_configure "$@"
  lab_udp inside1 echo "$INSIDE1:33001" "$TMPDIR/received1"
  lab_udp inside2 echo "$INSIDE2:33001" "$TMPDIR/received2"
  local began=${EPOCHREALTIME/./}
  proxy_session old outside2 bobcat "$INDIVIDUAL" cat
  ok "(somebody else's transfer runs)" goes_on begin
  usual=$(seconds_since "$began")
  old_processes=$(lab_pids dmz '*')
}
of_one() { lab_pids dmz "$1" | grep -vxFf <(echo "$old_processes"); }
in_run() { on dmz sh -c "ls /run/sallyport/$1 | wc -l" 2> /dev/null; }
# What is there is somebody else's: records, rules, tokens, marks, helpers. (A stopped ascp_rproxy, which is the user's,
# stays until it is continued, and holds nothing.)
only_old() {
  [ "$(proxy_open_sessions)/$(proxy_rules)/$(in_run callers)/$(in_run dialers)/$(in_run turns)/$(in_run balance/marks)" = 1/1/1/1/0/0 ] &&
    [ -z "$(of_one 'asp-*')" ]
}
is_only_old() {
  wait_until "$1" only_old && return
  diag "sessions $(proxy_open_sessions), rules $(proxy_rules), $(on dmz sh -c 'cd /run/sallyport && ls callers dialers turns balance/marks' | xargs), $(of_one 'asp-*' | xargs -r ps -o pid,stat,comm -p | xargs)"
  return 1
}

# full_syslog: it hangs, and has no room for a line
full_syslog() {
  kill -STOP "$(on dmz cat /run/rsyslogd.pid)"
  on dmz python3 -c 'import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.setblocking(False); s.connect("/dev/log")
try:
    while True: s.send(b"<15>full")
except BlockingIOError: pass'
}
is_dialed() { [ "$(on dmz ss -Htn state established "dst $INSIDE1" | wc -l)" = 1 ] && [ "$(in_run callers)" = 2 ]; }

# begin: a session of bear's, whose stdin stays open; returns at once
begin() {  # NAME CLIENT ADDRESS
  local fd
  mkfifo "$TMPDIR/$1.in"
  on_exec "$2" -u bear ssh -p 33001 "bear@$3" cat < "$TMPDIR/$1.in" > "$TMPDIR/$1.out" 2> "$TMPDIR/$1.err" &
  proxy_pid[$1]=$!
  exec {fd}> "$TMPDIR/$1.in"
  proxy_stdin[$1]=$fd
  rm "$TMPDIR/$1.in"
}
gone() {  # NAME: the client leaves, without a word
  local fd=${proxy_stdin[$1]}
  kill -KILL "${proxy_pid[$1]}"
  wait "${proxy_pid[$1]}" 2> /dev/null
  exec {fd}>&-
}
# The client leaves. What is the user's, or has no rights, ends with it; what is root's an administrator kills.
is_over() {  # VICTIM PID
  gone one
  case $1 in asp-pinhole | asp-upstream) kill -KILL "$2"; wait_until 10 on dmz "$bin/asp-reap" ;; esac
  ok 'the client goes, what is stopped and root'"'"'s is killed: nothing is left' is_only_old 20
  kill -CONT "$2" 2> /dev/null
}

# Whoever runs iptables-restore, which is asp-pinhole, or iptables, which is asp-reap, has the firewall's lock.
slow_iptables() {  # [PROGRAM]
  local path=/usr/sbin/${1-iptables-restore}
  on dmz sh -c "mv $path $path.away; printf '#!/bin/sh\nexec sleep 1000\n' > $path; chmod 755 $path"
}
runs_iptables() { [ -n "$(of_one sleep)" ]; }
# locked FILE: somebody has that lock of dmz's, until unlocked
locked() {
  (no_stdins; on_exec dmz flock "$1" tail -f /dev/null) &
  locker=$!
  wait_until 5 is_locked "$1"
}
is_locked() { ! on dmz flock -n "$1" true; }
unlocked() {
  # shellcheck disable=SC2046  # a list of numbers
  kill $(lab_pids dmz tail)
  wait "$locker" 2> /dev/null
}
usual_iptables() { on dmz mv "/usr/sbin/${1-iptables-restore}"{.away,}; }
# shellcheck disable=SC2046  # a list of numbers
end_iptables() { kill -KILL $(of_one sleep); }

# others_hardly_notice SECONDS ADDRESS [SECONDS OF ASP-REAP]: somebody else's transfer, asp-reap, and a new session of
# another user's with its UDP, from the same client
others_hardly_notice() {
  local began=${EPOCHREALTIME/./} took
  job reap on dmz timeout 60 "$bin/asp-reap"
  ok "somebody else's transfer goes on" goes_on "during-$tap_count"
  over reap 0 "${3-5}" 'asp-reap'
  began=${EPOCHREALTIME/./}
  ok "another user's session begins" proxy_session other outside bobcat "$2" cat
  ok 'with its UDP' packet outside 5002 "$2" other
  took=$(seconds_since "$began")
  ok "in $took s, of $1 (and what the machine adds)" test "$took" -le $(($1 + 3 * usual))
  proxy_end other
  is "$proxy_status" 0 'and ends'
}
