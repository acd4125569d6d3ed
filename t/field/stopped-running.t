#!/bin/bash
# A process of somebody's session is stopped (SIGSTOP) while it runs, with its flow. Others hardly notice, and
# when the client has gone, or the process was killed, nothing is left; ARCHITECTURE.md, "How long anything
# waits".
. "${0%/*}/../lib/hung.sh"
hung_begin

for victim in asp-pinhole asp-upstream asp-dial ascp_rproxy; do
  tap_about="$victim is stopped: "
  proxy_session one outside bear "$SQUASH" cat
  ok '(its UDP passes)' packet outside 5003 "$SQUASH" one
  ok '(the rule is narrowed to it)' wait_until 5 proxy_pinned 5003 33001
  stopped=$(of_one "$victim")
  kill -STOP "$stopped"
  others_hardly_notice 8 "$SQUASH"
  ok 'its own UDP passes' packet outside 5003 "$SQUASH" still
  is_over "$victim" "$stopped"
done
done_testing
