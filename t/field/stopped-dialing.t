#!/bin/bash
# A process of somebody's session is stopped (SIGSTOP) while a server is dialled, and so is syslog. Others
# hardly notice, and when the client has gone, or the process was killed, nothing is left; ARCHITECTURE.md,
# "How long anything waits".
. "${0%/*}/../lib/hung.sh"
hung_begin

listener=$(on inside1 cat /run/sshd.pid)
for victim in asp-dial asp-upstream asp-pinhole ascp_rproxy; do
  tap_about="it dials, $victim is stopped: "
  kill -STOP "$listener"
  begin one outside "$SQUASH"
  ok '(it dials)' wait_until 10 is_dialed
  stopped=$(of_one "$victim")
  kill -STOP "$stopped"
  others_hardly_notice 8 "$INDIVIDUAL"
  is_over "$victim" "$stopped"
  kill -CONT "$listener"
done

# Syslog hangs, its queue full, while a server is dialled: whoever is inside already gets through.
tap_about='it dials, and syslog hangs: '
kill -STOP "$listener"
begin one outside "$SQUASH"
ok '(it dials)' wait_until 10 is_dialed
full_syslog
began=${EPOCHREALTIME/./}
kill -CONT "$listener"
echo heard >&"${proxy_stdin[one]}"
ok 'the session begins all the same' wait_until 12 grep -qx heard "$TMPDIR/one.out"
took=$(seconds_since "$began")
ok "in $took s, of 12" test "$took" -le 12
ok 'with its UDP' packet outside 5003 "$SQUASH" one
ok "somebody else's transfer goes on" goes_on syslog
kill -CONT "$(on dmz cat /run/rsyslogd.pid)"
proxy_end one
is "$proxy_status" 0 'and ends well'
ok 'nothing is left' is_only_old 20
done_testing
