#!/bin/bash
# iptables hangs, and goes on to hang: whatever its programs do, or since somebody has their own lock and does not give it
# back. How long the sessions that come and go at that time wait is in ARCHITECTURE.md, "How long anything waits".
. "${0%/*}/../lib/hung.sh"
. "$LAB_LIB/messages.sh"
# The older iptables, which has a lock of its own.
legacy=yes
on dmz sh -c 'for p in iptables ip6tables; do update-alternatives --set $p /usr/sbin/$p-legacy; done; iptables -t nat -S' > /dev/null 2>&1 || legacy=
hung_begin
log_from

# meanwhile MET WHY: sessions come and go, and asp-reap does, once MET is so
meanwhile() {
  local name
  ok '(somebody meets it first)' wait_until 10 "$1"
  for name in first second third; do new_session $name outside bobcat "$INDIVIDUAL"; done
  ok "somebody else's transfer goes on" goes_on "$tap_count"
  began=${EPOCHREALTIME/./}
  proxy_end ends
  took=$(seconds_since "$began")
  is "$proxy_status" 0 'a session that has ended ends well'
  ok "in $took s, of 16" test "$took" -le 16
  over met 75 20 'the session that meets it first is refused'
  for name in first second third; do
    over $name 75 30 "the $name session at once is refused"
    is "$(cat "$TMPDIR/$name.err")" "$busy" 'its user is told'
  done
  job reap on dmz timeout 60 "$bin/asp-reap"
  over reap 75 14 'asp-reap gives up'
  like "$(errors)" "Refused a pinhole to bear: ($2)" 'the log says why'
  is "$(errors | grep -vcE "$2|still locked by process [0-9]+ \(asp-(pinhole|reap)\) after|is slow to revoke")" 0 'and nothing else' || diag "$(errors)"
}
# again: it works
again() {
  wait_until 60 on dmz "$bin/asp-reap"
  tap_result $? 'it works again, and asp-reap'
  ok 'nothing is left' is_only_old 20
  others_hardly_notice 8 "$SQUASH"
}

tap_about='it never returns: '
proxy_session ends outside bear "$SQUASH" cat
slow_iptables
slow_iptables iptables
new_session met outside2 bear "$SQUASH"
meanwhile runs_iptables '/usr/sbin/iptables(-restore)?: no answer within (10|2) s'
usual_iptables
usual_iptables iptables
again

tap_about='its lock is taken: '
if [ "$legacy" ]; then
  log_from
  proxy_session ends outside bear "$SQUASH" cat
  ok '(somebody has it)' locked /run/xtables.lock
  new_session met outside2 bear "$SQUASH"
  meanwhile true '/usr/sbin/iptables(-restore)?: somebody else has had the xtables lock for [15] s'
  unlocked
  again
else
  skip 'iptables-legacy does not work here' 'sessions at that time'
fi
done_testing
