#!/bin/bash
# asp-reap, as cron runs it, is stopped (SIGSTOP): while it waits for a lock, and while it has one. What others feel
# is in ARCHITECTURE.md, "How long anything waits".
. "${0%/*}/../lib/hung.sh"
hung_begin
run=$(lab_root dmz)/run/sallyport

# reap_waits FILE: it waits for that lock
reap_waits() { grep -q -- "-> FLOCK .* $1 .*:$(stat -c %i "$run/$2") " /proc/locks; }
for lock in lock lease_lock; do
  tap_about="it waits for $lock: "
  ok '(somebody has it)' locked "/run/sallyport/$lock"
  on_exec dmz "$bin/asp-reap" > "$TMPDIR/stopped.out" 2>&1 < /dev/null &
  reap=$!
  ok '(it waits)' wait_until 5 reap_waits "$reap" "$lock"
  kill -STOP "$reap"
  unlocked
  others_hardly_notice 8 "$SQUASH"
  kill -CONT "$reap"
  wait "$reap"
  is "$? $(cat "$TMPDIR/stopped.out")" '0 ' 'when it goes on, it works'
done

tap_about='it has the firewall'"'"'s lock: '
proxy_session ends outside bear "$SQUASH" cat
slow_iptables iptables
(no_stdins; on_exec dmz "$bin/asp-reap" > "$TMPDIR/stopped.out" 2>&1 < /dev/null) &
reap=$!
ok '(it runs iptables, with the lock)' wait_until 15 runs_iptables
kill -STOP "$reap"
end_iptables
usual_iptables iptables
new_session set-up outside2 bear "$SQUASH"
job next on dmz timeout 60 "$bin/asp-reap"
ok "somebody else's transfer goes on" goes_on lock
began=${EPOCHREALTIME/./}
proxy_end ends
took=$(seconds_since "$began")
is "$proxy_status" 0 'a session that has ended ends well'
ok "in $took s, of 16" test "$took" -le 16
over set-up 75 20 'a new session is refused as temporary'
over next 75 14 'the next asp-reap gives up'
like "$(cat "$TMPDIR/next.err")" "asp-reap: /run/sallyport/lock: still locked by process $reap \(asp-reap\) after 10 s" 'and names who has it'
kill -KILL "$reap"
wait "$reap" 2> /dev/null
status 0 'it is killed: asp-reap works again' on dmz "$bin/asp-reap"
ok 'nothing is left' is_only_old 20
others_hardly_notice 8 "$SQUASH"
done_testing
