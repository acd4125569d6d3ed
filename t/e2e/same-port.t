#!/bin/bash
# UDP follows the host: sessions of one client address, opened at the same time
# and led to three servers by three rules that all use one UDP port.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside inside1 inside2 inside3
rounds=${ROUNDS-2}
key=$LAB_PREFIX/etc/ssh_keys/id_ed25519
# A third account, that bear's key opens.
on dmz useradd -m -p '*' -s /bin/aspshell -G sallyport badger
on dmz cp /etc/ssh/authorized_keys/{bear,badger}

rule() {  # user host
  echo "<rule host_ip=\"$SQUASH\"><users>$1</users><host>$2:22</host><squash_user>xfer</squash_user><keyfile>$key</keyfile></rule>"
}
configure() {
  lab_config << END
<CONF version="2">
  <server><rproxy><enabled>true</enabled><rules>
    $(rule bear "$INSIDE1_AT") $(rule bobcat "$INSIDE2_AT") $(rule badger "$INSIDE3_AT")
  </rules></rproxy></server>
  <default><aspshell_commands><command>cat</command></aspshell_commands></default>
</CONF>
END
}
serve() {  # host address
  : > "$TMPDIR/$1.heard"
  on_exec "$1" python3 "$LAB_LIB/transfer.py" --serve "$1" "$2:33001" > "$TMPDIR/$1.heard" &
  servers+=($!)
  wait_until 5 grep -q listening "$TMPDIR/$1.heard"
}
session() {  # client's-user account server name talk
  on_exec outside -u "$1" python3 "$LAB_LIB/transfer.py" "$2@$SQUASH" "$3/$4" --begin "$begin" --talk "$5" \
    >> "$TMPDIR/results" 2>> "$TMPDIR/errors" &
  pids+=($!)
}
results() {
  python3 -c 'import json, sys; r = [json.loads(line) for line in open(sys.argv[1])]; print(eval(sys.argv[2]))' "$TMPDIR/results" "$1"
}
heard() { grep -c "^$1/$2" "$TMPDIR/$1.heard"; }
clean() { [ "$(proxy_rules)$(proxy_open_sessions)$(proxy_flows)" = 00 ]; }

for family in 4 6; do
  lab_family $family
  configure
  most=0
  servers=()
  serve inside1 "$INSIDE1_AT"
  serve inside2 "$INSIDE2_AT"
  serve inside3 "$INSIDE3_AT"
  for ((round = 1; round <= rounds; round++)); do
    pids=()
    : > "$TMPDIR/results"
    : > "$TMPDIR/errors"
    begin=$(date +%s.%N -d '+0.3 seconds')
    for n in 1 2; do
      # They end one after the other, so that a cut would be seen.
      session bear bear inside1 "r$round.$n" "1.$n"
      session bobcat bobcat inside2 "r$round.$n" "1.$((n + 2))"
      session bear badger inside3 "r$round.$n" "1.$((n + 4))"
    done
    wait "${pids[@]}"
    name="round $round:"
    is "$(results 'len(r), sum(s["first_ms"] is not None and s["status"] == 0 for s in r)')" '(6, 6)' \
      "$name six sessions at once to three servers: each one's data arrives at its own server" || diag "$(cat "$TMPDIR/results" "$TMPDIR/errors")"
    is "$(heard inside1 "r$round.") $(heard inside2 "r$round.") $(heard inside3 "r$round.")" '2 2 2' "$name (each server heard from its two)"
    is "$(results 'sum(s["foreign"] for s in r)') $(results 'sum(s["gap_ms"] > 500 for s in r)')" '0 0' \
      "$name none gets another's answers, or is interrupted when another ends" || diag "$(cat "$TMPDIR/results")"
    slowest=$(results 'max(s["opened_ms"] or 9999 for s in r)')
    [ "$slowest" -lt "$most" ] || most=$slowest
    diag "$name ms until the commands ran: $(results '" ".join(str(s["opened_ms"]) for s in r)')"
  done
  ok "nothing is left" wait_until 5 clean
  # Who waits for 3 s opens beside the others, and then servers are tried in turn.
  if [ "$most" -lt 3000 ]; then
    is "$(cd "$TMPDIR" && grep -v listening ./*.heard | grep -vE '^./(.*).heard:\1/')" '' "no packet came to a server that it was not for"
  else
    diag "one waited for $most ms, so packets may have come to other servers"
  fi
  kill "${servers[@]}"
  wait "${servers[@]}"
done
done_testing
