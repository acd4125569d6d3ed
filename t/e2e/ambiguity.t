#!/bin/bash
# Sessions of one client address that nothing on the wire tells apart: each
# one's data arrives at its own server, and none ends another's.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside inside1 inside2 inside3
rounds=${ROUNDS-3}

# bear's sessions go to inside1, bobcat's to the host that the round says; all
# through one address and port of the proxy.
configure() {  # bobcat's-host
  local key=$LAB_PREFIX/etc/ssh_keys/id_ed25519
  lab_config << END
<CONF version="2">
  <server><rproxy><enabled>true</enabled><rules>
    <rule host_ip="$SQUASH"><users>bear</users><host>$INSIDE1_AT:22</host><squash_user>xfer</squash_user><keyfile>$key</keyfile></rule>
    <rule host_ip="$SQUASH"><users>bobcat</users><host>$1:22</host><squash_user>xfer</squash_user><keyfile>$key</keyfile></rule>
  </rules></rproxy></server>
  <default><aspshell_commands><command>cat</command></aspshell_commands></default>
</CONF>
END
}

# use FAMILY HOST: from here on, with bobcat's sessions to HOST.
serving=
use() {
  local address=INSIDE${2#inside}_AT
  lab_family "$1"
  configure "${!address}"
  [ "$serving" != "$1" ] || return 0
  [ -z "$serving" ] || { kill "${servers[@]}"; wait "${servers[@]}"; }
  serving=$1 servers=()
  serve inside1 "$INSIDE1_AT"
  serve inside2 "$INSIDE2_AT"
}
serve() {  # host address
  : > "$TMPDIR/$1.serve"
  on_exec "$1" python3 "$LAB_LIB/transfer.py" --serve "$1" "$2:33001" > "$TMPDIR/$1.serve" &
  servers+=($!)
  wait_until 5 grep -q listening "$TMPDIR/$1.serve"
}

# session USER SERVER NAME OPTIONS...: in the background, all starting as one.
declare -a pids
session() {
  local user=$1 name=$2/$3
  shift 3
  on_exec outside -u "$user" python3 "$LAB_LIB/transfer.py" "$user@$SQUASH" "$name" --begin "$begin" "$@" \
    >> "$TMPDIR/results" 2>> "$TMPDIR/errors" &
  pids+=($!)
}
start() {
  pids=()
  : > "$TMPDIR/results"
  : > "$TMPDIR/errors"
  begin=$(date +%s.%N -d '+0.3 seconds')
}
finish() { wait "${pids[@]}"; }
# results FIELD-EXPRESSION: of all sessions that talked, as python sees them.
results() {
  python3 -c '
import json, sys
r = [json.loads(line) for line in open(sys.argv[1])]
talkers = [s for s in r if not s["name"].endswith("silent")]
print(eval(sys.argv[2]))' "$TMPDIR/results" "$1"
}
clean() { [ "$(proxy_rules)" = 0 ] && [ "$(proxy_open_sessions)" = 0 ]; }

eight_at_once() {  # bobcat's server
  local n
  start
  for n in 1 2 3 4; do
    session bear inside1 "bear$n" --talk "1.$n"
    session bobcat "$1" "bobcat$n" --talk "1.$n"
  done
  finish
}

for run in "4 inside1 $rounds" "4 inside2 $rounds" "6 inside2 2"; do
  read -r family where rounds <<< "$run"
  use $family $where
  complete=0 interrupted=0 foreign=0 waits=
  for ((round = 1; round <= rounds; round++)); do
    eight_at_once "$where"
    [ "$(results 'len(talkers) == 8 and all(s["first_ms"] is not None and s["status"] == 0 for s in talkers)')" = True ] \
      && complete=$((complete + 1)) || diag "$(cat "$TMPDIR/results" "$TMPDIR/errors")"
    interrupted=$((interrupted + $(results 'sum(s["first_ms"] is None or s["gap_ms"] > 500 for s in talkers)')))
    foreign=$((foreign + $(results 'sum(s["foreign"] for s in talkers)')))
    waits+=" $(results '" ".join(str(s["opened_ms"]) for s in talkers)')"
  done
  is "$complete" "$rounds" "eight sessions of two users at once, bobcat's to $where: in every round each one's data arrives at its own server"
  is "$interrupted" 0 "and none is interrupted when another ends"
  is "$foreign" 0 "and none gets another's answers"
  diag "ms until the command ran (8 at once, $where): $(printf '%s\n' $waits | sort -n | awk '{ a[NR] = $1 } END { print "min " a[1] ", median " a[int((NR+1)/2)] ", max " a[NR] }')"
done
start
session bear inside1 alone --talk 0.2
finish
diag "ms until the command ran (alone): $(results 'talkers[0]["opened_ms"]')"
ok "nothing is left" wait_until 5 clean

for run in "4 inside1" "4 inside2" "6 inside2"; do
  read -r family where <<< "$run"
  use $family $where

  start
  session bear inside1 silent --silent --talk 6
  begin=$(date +%s.%N -d '+0.8 seconds')
  session bobcat "$where" two --talk 3
  session bobcat "$where" three --talk 4
  session bear inside1 four --talk 5
  finish
  is "$(results '[s["first_ms"] is not None for s in talkers]')" "[True, True, True]" \
    "the first session never sends a packet, later ones to $where do: their data arrives" || diag "$(cat "$TMPDIR/results")"
  is "$(results 'sum(s["first_ms"] is None or s["gap_ms"] > 500 for s in talkers)')" 0 "uninterrupted" || diag "$(cat "$TMPDIR/results")"
  ok "nothing is left" wait_until 5 clean

  # What IPv6 adds was seen: flows are offered, counted and taken back.
  [ "$family" = 4 ] || continue
  start
  session bear inside1 slow --delay 5 --talk 4
  begin=$(date +%s.%N -d '+0.8 seconds')
  session bobcat "$where" two --talk 3.5
  session bobcat "$where" three --talk 6
  finish
  is "$(results '[s["first_ms"] is not None for s in talkers]')" "[True, True, True]" \
    "the first session begins to send only after the wait ran out: all data arrives ($where)" || diag "$(cat "$TMPDIR/results")"
  is "$(results 'sum(s["first_ms"] is None or s["gap_ms"] > 500 for s in talkers)')" 0 "uninterrupted" || diag "$(cat "$TMPDIR/results")"
  ok "nothing is left" wait_until 5 clean
done
for family in 4 6; do
  lab_family $family
  is "$(proxy_flows)" "" "no flow is left"
done
done_testing
