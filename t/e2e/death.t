#!/bin/bash
# Sudden death: whichever process of a session is killed, at whichever step of
# its life, nothing of it is left, and nobody else notices.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside outside2 inside1
proxy_allow 'env -u %d cat'
lab_udp inside1 echo "$INSIDE1:33001" "$TMPDIR/received"

declare -A longest
result() {  # "ok" or "not ok", step, process, ms or what went wrong
  [ "$1" = ok ]
  tap_result $? "$3 is killed while the session is $2: nothing of it is left" || diag "$4"
  local kind="within a second"
  [ "$3" != asp-pinhole ] || kind="by one run of asp-reap"
  [ "$1" != ok ] || [ "${longest[$kind]-0}" -ge "$4" ] || longest[$kind]=$4
  [ "$1" != ok ] || [ "${longest[$3]-0}" -ge "$4" ] || longest[$3]=$4
  [ "$1" != ok ] || [ "${longest[$2]-0}" -ge "$4" ] || longest[$2]=$4
}

bystander=none arrived=none
while read -r verdict rest; do
  case $verdict in
    ok) read -r step process taken <<< "$rest"; result ok "$step" "$process" "$taken" ;;
    not) read -r _ step process why <<< "$rest"; result "not ok" "$step" "$process" "$why" ;;
    bystander) bystander=$rest ;;
    arrived) arrived=$rest ;;
  esac
done < <(python3 "$LAB_LIB/death.py" "$TMPDIR/received" 2> "$TMPDIR/errors")
is "$arrived" "" "no packet sent afterwards arrives"
is "${bystander#* }" 0 "the session of another client lives through all of it"
ok "and its data never pauses for more than 500 ms" test "${bystander% *}" -le 500
is "$(cat "$TMPDIR/errors")" "" "(the test itself ran without a fault)"
for kind in "${!longest[@]}"; do
  diag "longest until nothing was left, $kind: ${longest[$kind]} ms"
done
diag "longest pause of the bystander's data: ${bystander% *} ms"
done_testing
