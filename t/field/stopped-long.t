#!/bin/bash
# What is given up only after long: an asp-dial that is stopped and says nothing, an asp-pinhole that is stopped
# and does not take its rule back, iptables that hangs. The user is told, the log has the cause, others hardly notice.
. "${0%/*}/../lib/hung.sh"
. "$LAB_LIB/messages.sh"
hung_begin
on dmz sed -i 's|<connect_timeout>6|<connect_timeout>2|' "$LAB_PREFIX/etc/aspera.conf"
log_from

# ends_without_pinhole: asp-pinhole is stopped before its session ends
ends_without_pinhole() {
  local fd
  ok "(a session of bear's runs)" proxy_session one outside bear "$SQUASH" cat
  pinhole=$(of_one asp-pinhole)
  kill -STOP "$pinhole"
  fd=${proxy_stdin[one]}
  exec {fd}>&-
  ok "(its command has ended)" wait_until 5 eval '[ -z "$(of_one asp-dial)" ]'
}
ends_without_pinhole
kill -KILL "$pinhole"
wait "${proxy_pid[one]}"
is "$? $(cat "$TMPDIR/one.err")" '0 ' 'asp-pinhole is stopped when its session ends, and is killed: the session ends well'
one_error 'asp-pinhole died before it closed the rule of session=UUID; asp-reap will do it$'
ok 'asp-reap closes its rule' on dmz "$bin/asp-reap"

# All at once. The same, and it stays stopped: 10 s. Its session is the first: the next one of the account would wait for
# the log-in of the one whose asp-dial is stopped.
log_from
ends_without_pinhole

# An asp-dial, stopped while it dials: connect_timeout and 25 s.
stop_dialer() { dialer=$(of_one asp-dial) && [ "$dialer" ] && kill -STOP "$dialer"; }
kill -STOP "$(on inside1 cat /run/sshd.pid)"
new_session dialed outside2 bear "$SQUASH"
ok '(it dials)' wait_until 10 stop_dialer
kill -CONT "$(on inside1 cat /run/sshd.pid)"

# iptables: 10 s.
slow_iptables
new_session slow outside bobcat "$INDIVIDUAL"
ok '(it runs iptables)' wait_until 10 runs_iptables
usual_iptables
ok "somebody else's transfer goes on" goes_on meanwhile
over slow 75 16 'iptables hangs: the session is refused as temporary'
is "$(cat "$TMPDIR/slow.err")" "$busy" 'its user is told'
like "$(errors | grep bobcat)" "^asp-pinhole ERR Refused a pinhole to bobcat: /usr/sbin/iptables-restore: no answer within 10 s session=UUID .*\\(exit 75\\)$" 'the log has one line of it'
ok 'nobody has hung iptables any more' wait_until 5 eval '! runs_iptables'
others_hardly_notice 8 "$SQUASH"

wait "${proxy_pid[one]}"
is "$? $(cat "$TMPDIR/one.err")" '0 ' 'asp-pinhole stays stopped when its session ends: the session ends well'
like "$(errors | grep ascp_rproxy)" '^ascp_rproxy ERR asp-pinhole is slow to revoke session=UUID; asp-reap will do it$' 'the log has one line of it'
kill -KILL "$pinhole"
ok 'it is killed: asp-reap closes its rule' on dmz "$bin/asp-reap"

over dialed 70 35 'asp-dial is stopped while it dials: the session is given up'
is "$(cat "$TMPDIR/dialed.err")" "$unserved" 'its user is told'
like "$(errors | grep 'asp-dial')" "^asp-upstream ERR No server for bear: server $INSIDE1:22: asp-dial does not answer session=UUID .*\\(exit 7[01]\\)$" 'the log has one line of it'
ok 'nothing is left, though it is stopped still' is_only_old 20
done_testing
