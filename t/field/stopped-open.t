#!/bin/bash
# A process of somebody's session is stopped (SIGSTOP) once its rule is in force, before its flow comes.
# Others hardly notice, and when the client has gone, or the process was killed, nothing is left;
# ARCHITECTURE.md, "How long anything waits".
. "${0%/*}/../lib/hung.sh"
hung_begin

for victim in asp-pinhole asp-upstream asp-dial ascp_rproxy; do
  tap_about="$victim is stopped: "
  proxy_session one outside bear "$SQUASH" cat
  stopped=$(of_one "$victim")
  kill -STOP "$stopped"
  others_hardly_notice 8 "$SQUASH"
  is_over "$victim" "$stopped"
done
done_testing
