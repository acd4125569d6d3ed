#!/bin/bash
# Several servers for one rule: each in its turn, and what a faulty one costs.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"
lab_up dmz outside inside1 inside2 inside3

none='^None of the servers behind this proxy can be reached right now\. Try again later\.$'
configure() {  # FAULTY_INTERVAL CONNECT_TIMEOUT
  lab_config << END
<CONF version="2"><server><rproxy><enabled>true</enabled><rules>
  <rule host_ip="$SQUASH">
    <hosts><host>$INSIDE1:22</host><host>$INSIDE2:22</host><host>$INSIDE3:22</host></hosts>
    <squash_user>xfer</squash_user><keyfile>$LAB_PREFIX/etc/ssh_keys/id_ed25519</keyfile>
    <faulty_interval>$1</faulty_interval><connect_timeout>$2</connect_timeout>
  </rule>
</rules></rproxy></server>
<default><aspshell_commands><command udp="false">hostname</command><command udp="false">cat</command></aspshell_commands></default></CONF>
END
}
now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }
session() { on outside -u bear ssh -p 33001 "bear@$SQUASH" hostname < /dev/null; }
# sessions NUMBER: one after the other; who served them, sorted
sessions() { for _ in $(seq "$1"); do session; done | sort | uniq -c | awk '{ print $2 ":" $1 }' | xargs; }
proxy() { on dmz "$LAB_PREFIX/bin/asperaproxy" "$@"; }
# state HOST: as asp-sessions says; hosts EXPRESSION: of its JSON, d by address
hosts() { on dmz "$LAB_PREFIX/bin/asp-sessions" --hosts --json | python3 -IS -c "import json, sys; d = {h['host'][:-3]: h for h in json.load(sys.stdin) if not h['account']}; print($1)"; }
state() { hosts "d['$1']['state']"; }
is_state() { [ "$(state "$1")" = "$2" ]; }
marked() { lab_log dmz | grep "Marked server [^ ]*$INSIDE2:22 faulty for"; }
# so that the next session's turn is that of host NUMBER, from 1
turn() { on dmz sh -c "printf %d $((3000000 + $1 - 1)) > \"\$(echo /run/sallyport/balance/turns/*)\""; }

# --- round robin ---------------------------------------------------------------------------

configure 120 10
start=$(now_ms)
client() { on_exec outside -u bear bash -c "for ((i = 0; i < $1; ++i)); do ssh -p 33001 bear@$SQUASH hostname; done" < /dev/null; }
clients=()
for n in 38 38 38 38 37 37 37 37; do
  client $n >> "$TMPDIR/served" 2>> "$TMPDIR/complaints" &
  clients+=($!)
done
wait "${clients[@]}"
echo "# 300 sessions of 8 clients at once: $(($(now_ms) - start)) ms"
is "$(sort "$TMPDIR/served" | uniq -c | xargs)" '100 inside1 100 inside2 100 inside3' '300 sessions of 8 clients land 100 on each of 3 hosts'
is "$(cat "$TMPDIR/complaints")" '' 'without a word'
is "$(hosts '[h["state"] for h in d.values()]')" "['good', 'good', 'good']" 'all are good'

unlike "$(lab_log dmz)" 'does not answer|Marked server' 'and none was suspected, busy as this machine is'

# --- each fault in turn ---------------------------------------------------------------------

# marked_in_each_interval BEFORE SINCE NAME: of BEFORE marks there is one more, or, on a
# machine so busy that the interval of 3 s ended meanwhile, one for each of them.
marked_in_each_interval() {
  local marks=$(($(marked | wc -l) - $1)) intervals=$((1 + ($(now_ms) - $2) / 3000))
  ok "$3" test "$marks" -ge 1 -a "$marks" -le "$intervals" || diag "$marks in $intervals intervals"
}
configure 3 4
put_host_key() { lab_sshd inside2 stop && lab_put_key "$1" "$(lab_root inside2)/etc/ssh/ssh_host_ed25519_key" && lab_sshd inside2 start; }
# server MODE: in the place of sshd: reset connections, or never say a word
server() {
  lab_sshd inside2 stop
  on_exec inside2 python3 -IS -c '
import socket, struct, sys, time
s = socket.create_server(("0.0.0.0", 22))
held = []
while True:
    c, _ = s.accept()
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if sys.argv[1] == "reset": c.close()
    else: held.append(c)' "$1" < /dev/null &
  server=$!
  wait_until 10 lab_listens inside2 22
}
end_server() {
  { kill -KILL "$server"; wait "$server"; } 2> /dev/null
  lab_sshd inside2 start
}
# A session whose turn it is meets the fault, the next do not, and after the
# interval the mended host is back.
meets() {  # WHAT REASON MILLISECONDS MEND...
  local what=$1 reason=$2 limit=$3 before took usual
  shift 3
  before=$(marked | wc -l)
  turn 1
  start=$(now_ms)
  session > /dev/null
  usual=$(($(now_ms) - start))
  turn 2
  start=$(now_ms)
  status 0 "$what: the session succeeds" session
  took=$(($(now_ms) - start))
  like "$out" '^inside[13]$' 'on another host'
  is "$err" '' 'without a word'
  ok "after at most $limit ms more ($took ms)" test $took -lt $((limit + 1000 + 2 * usual))
  like "$(marked | tail -n 1)" "$reason" 'the log has the reason'
  is "$(sessions 2)" 'inside1:1 inside3:1' 'the next go to the others'
  marked_in_each_interval "$before" "$start" 'it is marked once'
  "$@"
  wait_until 10 is_back || diag "$(on dmz "$LAB_PREFIX/bin/asp-sessions" --hosts)"
  is "$(session)" inside2 'when its time is over, it is tried first'
  is "$(sessions 3)" 'inside1:1 inside2:1 inside3:1' 'and is back'
}
is_back() { ! is_state "$INSIDE2" faulty && on dmz "$LAB_PREFIX/bin/asp-sessions" --hosts | grep -qv 'faulty'; }

lab_sshd inside2 stop
meets 'sshd is stopped' "Marked server $INSIDE2:22 faulty for 3 s: .*Connection refused" 200 lab_sshd inside2 start
like "$(lab_log dmz)" "asp-upstream.*LOG Server $INSIDE2:22 is back: no longer faulty session=" 'which the log says'
server reset
meets 'connections are reset' "Marked server $INSIDE2:22 faulty for 3 s: " 200 end_server
server mute
meets 'the server is mute' "Marked server $INSIDE2:22 faulty for 3 s: .*timed out" 4000 end_server
put_host_key host-inside1
meets 'another host key' "Marked server $INSIDE2:22 faulty for 3 s: .*host key" 200 put_host_key host-inside2
on inside2 mv /home/xfer/.ssh/authorized_keys /home/xfer/.ssh/away
is_back() { ! on dmz "$LAB_PREFIX/bin/asp-sessions" --hosts | grep -q " xfer@$INSIDE2:22 .* faulty "; }
meets 'the key is refused' "Marked server xfer@$INSIDE2:22 faulty for 3 s: " 200 on inside2 mv /home/xfer/.ssh/away /home/xfer/.ssh/authorized_keys

# --- still faulty after its time ---------------------------------------------------------------

lab_sshd inside2 stop
turn 2
session > /dev/null
is "$(state "$INSIDE2")" faulty 'a stopped host is faulty'
wait_until 10 is_state "$INSIDE2" due
before=$(marked | wc -l) began=$(now_ms)
is "$(sessions 4)" 'inside1:2 inside3:2' 'after the interval sessions succeed all the same'
marked_in_each_interval "$before" "$began" 'one of them has tried it'
lab_sshd inside2 start
proxy heal "$INSIDE2" > /dev/null

# --- a black hole ---------------------------------------------------------------------------------

configure 60 12
on inside2 iptables -w -I INPUT -p tcp --dport 22 -j DROP
timed() { local begun; begun=$(now_ms); session > "$TMPDIR/hole.$1" 2>&1 && echo $(($(now_ms) - begun)) >> "$TMPDIR/took"; }
flood=()
turn 2
for n in 1 2 3 4 5 6 7 8 9 10; do timed $n & flood+=($!); done
wait_until 10 is_state "$INSIDE2" suspect
ok 'a host that drops packets becomes suspect' is_state "$INSIDE2" suspect
is "$(sessions 2)" 'inside1:1 inside3:1' 'meanwhile the next go to the others'
ok 'and do not wait' is_state "$INSIDE2" suspect
wait "${flood[@]}"
diag "10 sessions at once, ms: $(sort -n "$TMPDIR/took" | xargs)"
is "$(cat "$TMPDIR"/hole.* | sort -u | xargs)" 'inside1 inside3' 'all of 10 sessions at once succeed'
is "$(wc -l < "$TMPDIR/took")" 10 '(10)'
is "$(awk '$1 >= 12000' "$TMPDIR/took" | wc -l)" 1 'one alone waits for the whole connect_timeout'
is "$(state "$INSIDE2")" faulty 'then it is faulty'
is "$(hosts '[d[a]["state"] for a in ("'"$INSIDE1"'", "'"$INSIDE3"'")]')" "['good', 'good']" 'and no other'
is "$(lab_log dmz | grep -c "Server $INSIDE2:22 does not answer: this session waits for it")" 1 'one session waited for it, the log says'
unlike "$(lab_log dmz | grep -E 'Marked|does not answer')" "erver [^ ]*($INSIDE1|$INSIDE3):22 " 'nor was at any time'

# --- kill -9 ----------------------------------------------------------------------------------------

proxy heal "$INSIDE2" > /dev/null
turn 2
session > /dev/null 2>&1 &
victim=$!
wait_until 10 is_state "$INSIDE2" suspect
# shellcheck disable=SC2046  # a list of numbers
kill -KILL $(lab_pids dmz asp-upstream)
wait $victim
is "$(state "$INSIDE2")" good 'asp-upstream killed while it waits: its suspicion and lock are gone'
is "$(on dmz sh -c 'cat /run/sallyport/balance/turns/*')" 3000002 'its turn was one turn'
on dmz "$LAB_PREFIX/bin/asp-reap"
is "$(on dmz sh -c 'cd /run/sallyport/balance && find marks probes -type f')" '' 'asp-reap removes what it left'
on inside2 iptables -w -D INPUT -p tcp --dport 22 -j DROP
is "$(sessions 3)" 'inside1:1 inside2:1 inside3:1' 'and all goes on'

# --- by hand -------------------------------------------------------------------------------------------

mkfifo "$TMPDIR/in"
turn 2
on_exec outside -u bear ssh -p 33001 "bear@$SQUASH" cat < "$TMPDIR/in" > "$TMPDIR/long" 2>&1 &
long=$!
exec {in}> "$TMPDIR/in"
has_session() { [ "$(hosts "d['$INSIDE2']['sessions']")" = 1 ]; }
ok 'a session without UDP is counted where it is' wait_until 10 has_session
status 0 'asperaproxy fault: exit 0' proxy fault "$INSIDE2" new disks
is "$out" "$INSIDE2:22: no new sessions go there until asperaproxy heal $INSIDE2:22; 1 is left" 'says how many live there'
like "$(lab_log dmz | tail -n 20)" "LOG Server $INSIDE2:22 is taken out of service: new disks by=root uid=0" 'and who it was is logged'
is "$(hosts "d['$INSIDE2']['state'], d['$INSIDE2']['reason'], d['$INSIDE2']['by']")" 'maintenance new disks root' 'asp-sessions shows it'
is "$(sessions 4)" 'inside1:2 inside3:2' 'no new session goes there'
echo alive >&"$in"
exec {in}>&-
wait $long
is "$(cat "$TMPDIR/long")" alive 'the one that lives there goes on to its end'
proxy restart > /dev/null
is "$(state "$INSIDE2")" maintenance 'a restart does not end it'
status 0 'asperaproxy heal: exit 0' proxy heal "$INSIDE2"
is "$(sessions 3)" 'inside1:1 inside2:1 inside3:1' 'sessions go there again'

# --- all ---------------------------------------------------------------------------------------------------

for host in inside1 inside2 inside3; do lab_sshd $host stop; done
status 75 'no host is there: a temporary failure' session
like "$err" "$none" 'with one line'
like "$(lab_log dmz | grep 'ERR .*all servers')" "all servers of rule 1 are faulty.*Connection refused" 'the log has the reasons'
start=$(now_ms)
status 75 'so does the next session' session
like "$err" "$none" 'with the same line'
for host in inside1 inside2 inside3; do lab_sshd $host start; done
proxy restart > /dev/null
is "$(sessions 3)" 'inside1:1 inside2:1 inside3:1' 'a restart forgets what was faulty'
done_testing
