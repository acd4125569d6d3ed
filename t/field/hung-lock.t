#!/bin/bash
# Whoever has the firewall's lock hangs (SIGSTOP). Others hardly notice: how long at
# most, and which test holds it, is in ARCHITECTURE.md, "How long anything waits".
. "${0%/*}/../lib/hung.sh"
hung_begin

slow_iptables
begin one outside "$SQUASH"
ok '(asp-pinhole runs iptables, with the lock)' wait_until 10 runs_iptables
stopped=$(of_one asp-pinhole)
kill -STOP "$stopped"
end_iptables
usual_iptables
new_session set-up outside bobcat "$SQUASH"
job reap on dmz timeout 60 "$bin/asp-reap"
ok "it is stopped: somebody else's transfer goes on" goes_on lock
over set-up 75 16 'a set-up is refused as temporary'
over reap 75 14 'asp-reap gives up'
like "$(cat "$TMPDIR/reap.err")" "asp-reap: /run/sallyport/lock: still locked by process $stopped \(asp-pinhole\) after 10 s" 'and names who has it'
kill -KILL "$stopped"
gone one
ok 'it is killed: asp-reap works again' wait_until 10 on dmz "$bin/asp-reap"
ok 'nothing is left' is_only_old 20
new_session after outside bear "$SQUASH"
over after 0 8 'sessions come in again'
done_testing
