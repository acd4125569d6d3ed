#!/bin/bash
# What the log says is true: whatever ends a session at each of its steps. A process of it dies or is
# told to end, its client leaves, the firewall refuses. One failure is one line, a client that leaves is none.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"
lab_up dmz outside inside1
. "$LAB_LIB/messages.sh"
configure

# --- before the command runs ------------------------------------------------------------------

# begin: a session that stays at the step that was made before; its client is $client
begin() {
  log_from
  on_exec outside -u bear ssh -p 33001 "bear@$SQUASH" cat < /dev/null > /dev/null 2> "$TMPDIR/begun.err" &
  client=$!
}
# held DIRECTORY: how many tokens of /run/sallyport somebody living has
held() { on dmz sh -c "count=0; for each in /run/sallyport/$1/*; do [ ! -e \"\$each\" ] || flock -n \"\$each\" true || count=\$((count + 1)); done; echo \$count"; }
nobody() { [ -z "$(lab_pids dmz 'asp-[pud]*')" ]; }
# at_step STEP REACHED: table on stdin, who | signal | status | told | error (empty: none is to be)
at_step() {
  local who signal code told error status
  while IFS='|' read -r who signal code told error; do
    who=${who// /} signal=${signal// /} code=${code// /} told=$(sed 's/^ *//; s/ *$//' <<< "$told") error=$(sed 's/^ *//' <<< "$error")
    begin
    ok "($1: it is there)" wait_until 10 "$2" || diag "$(cat "$TMPDIR/begun.err")"
    if [ "$who" = client ]; then kill -KILL "$client"; else slay "$signal" "$who"; fi
    wait "$client" 2> /dev/null
    status=$?
    [ "$who" = client ] || is "$status $(cat "$TMPDIR/begun.err")" "$code $told" "$1, $signal for $who: the status, and what the user reads"
    ok 'nobody is left' wait_until 15 nobody
    if [ "$error" ]; then one_error "$error"; else is "$(errors)" '' "$1, $who leaves: no error"; fi
  done
}

listener=$(on inside1 cat /run/sshd.pid)
kill -STOP "$listener"
is_dialed() { [ "$(on dmz ss -Htn state established "dst $INSIDE1" | wc -l)" = 1 ] && [ "$(held callers)" = 1 ]; }
at_step 'while it dials' is_dialed << END
asp-dial     | KILL | 70 | $unserved | No server for bear: server $INSIDE1:22: asp-dial died: killed by signal 9 $of_bear.*
asp-upstream | KILL | 71 | $unserved | asp-upstream died: no reason given .*$of_bear.*
asp-upstream | TERM | 71 | $unserved | No server for bear: asp-upstream was told to end, as sudo does when its command_timeout is over $of_bear.*
asp-pinhole  | KILL | 71 | $unserved | asp-pinhole died: no reason given \(status 137\) $of_bear.*
asp-pinhole  | TERM | 75 | $by_administrator |
ascp_rproxy  | TERM | 75 | $ended |
ascp_rproxy  | KILL | 255 | | No server for bear: ascp_rproxy died $of_bear.*
client       |      |    |    |
END
kill -CONT "$listener"
nobody_waits() { on inside1 sh -c '! pgrep -P "$(cat /run/sshd.pid)"' > /dev/null; }
wait_until 10 nobody_waits

# Somebody has the firewall's lock: asp-pinhole has the turn, and waits.
on_exec dmz flock /run/sallyport/lock tail -f /dev/null &
locker=$!
ok '(somebody has the lock)' wait_until 5 eval '! on dmz flock -n /run/sallyport/lock true'
has_turn() { [ "$(held turns)" = 1 ]; }
at_step 'before its rule is in force' has_turn << END
asp-dial     | KILL | 70 | $unserved | Ends the session of bear: asp-dial died: killed by signal 9 $of_bear.*
asp-upstream | KILL | 71 | $unserved | asp-upstream died: no reason given .*$of_bear.*
asp-pinhole  | KILL | 71 | $unserved | asp-pinhole died: no reason given \(status 137\) $of_bear.*
ascp_rproxy  | TERM | 75 | $ended |
ascp_rproxy  | KILL | 255 | | Ends the session of bear: ascp_rproxy died $of_bear.*
client       |      |    |    |
END
# shellcheck disable=SC2046  # a list of numbers
kill $(lab_pids dmz tail) "$locker" 2> /dev/null
wait "$locker" 2> /dev/null

# --- while it runs --------------------------------------------------------------------------------

session_meets 'asp-upstream is told to end' 'asp-upstream was told to end, as sudo does when its command_timeout is over' 'asp-upstream was told to end, as sudo does when its command_timeout is over' 71 "$unserved" slay TERM asp-upstream
session_meets 'asp-dial is told to end' 'ended by SIGTERM' 'ended by SIGTERM' 70 "$unserved" slay TERM asp-dial
session_meets 'ascp_rproxy is told to end' 'ended by SIGTERM' '' 75 "$ended" slay TERM ascp_rproxy
log_from
proxy_session one outside bear "$SQUASH" cat
slay KILL ascp_rproxy
proxy_end one
is "$proxy_status $(cat "$TMPDIR/one.err")" '255 ' 'ascp_rproxy is killed: the status, and what the user reads'
one_error 'Ends the session of bear: ascp_rproxy died session=UUID.*'
ok 'nothing is left' wait_until 10 nobody
is "$(proxy_rules)/$(proxy_open_sessions)" 0/0 'of its rule neither'

# The firewall does not take the rule back.
refuse() { on dmz sh -c "mv /usr/sbin/$1 /usr/sbin/$1.away; printf '#!/bin/sh\necho \"line 3 failed\" >&2\nexit 1\n' > /usr/sbin/$1; chmod 755 /usr/sbin/$1"; }
take() { on dmz mv "/usr/sbin/$1.away" "/usr/sbin/$1"; }
log_from
proxy_session one outside bear "$SQUASH" cat
refuse iptables-restore
proxy_end one
is "$proxy_status $(cat "$TMPDIR/one.err")" '0 ' 'the rule cannot be closed: the session has ended well'
one_error 'Could not revoke session=UUID: run /usr/sbin/iptables-restore: line 3 failed; asp-reap will do it'
take iptables-restore
status 0 'asp-reap does' on dmz "$LAB_PREFIX/bin/asp-reap"
is "$(proxy_rules)/$(proxy_open_sessions)" 0/0 'nothing is left'

status 0 'then all is as before' on outside -u bear ssh -p 33001 "bear@$SQUASH" cat < /dev/null
done_testing
