#!/bin/bash
# What the log says is true: each way in which a session that lives can end is caused. One failure is
# one line, which names the real cause and the thing; what is not a failure is not an error.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"
lab_up dmz outside inside1
. "$LAB_LIB/messages.sh"

# --- a client that hangs up ------------------------------------------------------------

configure
log_from
# All 8 are through with their set-up: a client that leaves before ends no session. Without UDP, the command runs as soon
# as the server is connected.
is_running() { [ "$(log_since | grep -c 'LOG Established SSH connection')" = $((8 * round)) ] && grep -qx hello "$TMPDIR/said"; }
mkfifo "$TMPDIR/open" "$TMPDIR/talk"
exec 9<> "$TMPDIR/open" 8<> "$TMPDIR/talk"  # their stdins, which do not end
for round in 1 2 3; do
  on_exec outside -u bear ssh -p 33001 "bear@$SQUASH" cat < "$TMPDIR/talk" > "$TMPDIR/said" 2> /dev/null &
  clients=($!)
  echo hello >&8
  for _ in {1..7}; do
    on_exec outside -u bear ssh -p 33001 "bear@$SQUASH" 'sleep 1000' < "$TMPDIR/open" > /dev/null 2>&1 &
    clients+=($!)
  done
  ok "(8 sessions live, round $round)" wait_until 30 is_running
  on outside pkill "-$([ $round = 2 ] && echo TERM || echo KILL)" -u bear -x ssh
  ok '(none of them any more)' wait_until 20 is_living 0
  { wait "${clients[@]}"; } 2> /dev/null
done
closed() { log_since | grep -c 'Connection closed'; }
all_closed() { [ "$(closed)" = 24 ]; }
ok '24 sessions whose clients hang up' wait_until 10 all_closed
is "$(log_since | grep -o 'Connection closed ([^)]*)' | sort | uniq -c | grep -vE 'closed \((client hung up|EOF)\)')" '' 'are logged as that' || diag "$(log_since | grep closed)"
is "$(errors)" '' 'and as no error'

# --- a process of the session dies -------------------------------------------------------

session_meets 'asp-upstream is killed' 'asp-upstream died \(killed by signal 9\): no reason given.*' 'asp-upstream died \(killed by signal 9\)' 71 "$unserved" slay KILL asp-upstream
session_meets 'asp-pinhole is killed' 'asp-pinhole died: no reason given.*' 'asp-pinhole died: ' 71 "$unserved" slay KILL asp-pinhole
on dmz "$LAB_PREFIX/bin/asp-reap" > /dev/null
session_meets 'asp-dial is killed' 'asp-dial died: killed by signal 9' 'Ends the session of bear: asp-dial died: killed by signal 9' 70 "$unserved" slay KILL asp-dial
session_meets 'ascp_rproxy is told to end' 'ended by SIGTERM' '' 75 "$ended" slay TERM ascp_rproxy
end_all() { on dmz "$LAB_PREFIX/bin/asp-sessions" --kill user=bear > /dev/null; }
session_meets 'an administrator ends it' 'ended by an administrator' '' 75 "$by_administrator" end_all
hung_up="connection to $INSIDE1:22 lost: (server hung up|Socket error: Connection reset by peer)"
session_meets 'the server hangs up' "$hung_up" "$hung_up" 69 "$lost" lab_cut inside1
done_testing
