#!/bin/bash
# A process of somebody's session is stopped (SIGSTOP) while asp-pinhole waits for its turn: a session of the
# same client has no flow yet. Others hardly notice, and when the client has gone, or the process was killed,
# nothing is left; ARCHITECTURE.md, "How long anything waits".
. "${0%/*}/../lib/hung.sh"
hung_begin

has_turn() { [ "$(in_run turns)" = 1 ] && [ "$(in_run dialers)" = 3 ]; }
for victim in asp-pinhole asp-upstream asp-dial ascp_rproxy; do
  tap_about="it has its turn, $victim is stopped: "
  proxy_session first outside bear "$SQUASH" cat
  of_first=$(lab_pids dmz 'as[cp]*')
  begin one outside "$SQUASH"
  ok '(it has its turn)' wait_until 20 has_turn
  stopped=$(lab_pids dmz "$victim" | grep -vxFf <(echo "$of_first"))
  kill -STOP "$stopped"
  others_hardly_notice 8 "$SQUASH"
  proxy_end first
  is_over "$victim" "$stopped"
done
done_testing
