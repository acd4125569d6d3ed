#!/bin/bash
# Delay and loss of a real link, by the kernel: 50 ms there and back, 1 % of the packets
# lost each way. A transfer arrives whole, and faster than scp's.
. "${0%/*}/../lib/vm.sh"
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside inside1
proxy_allow 'scp -t %s'
on outside -u bear bash -c 'head -c 3M /dev/urandom > file'
for host in dmz outside; do
  status 0 "($host: delay and loss)" on "$host" tc qdisc add dev wan root netem delay 25ms loss 1%
done
status 0 '(the link is slow)' on outside ping -c 1 -W 5 "$SQUASH"

took() {  # COMMAND...: in milliseconds
  local start
  start=$(date +%s%N)
  on outside -u bear timeout 250 "$@" > "$TMPDIR/out" 2>&1 || { cat "$TMPDIR/out" >&2; return 1; }
  echo $((($(date +%s%N) - start) / 1000000))
}
ours=$(took asp-cp -q -P 33001 file "bear@$SQUASH:/tmp/netem")
ok "asp-cp ends well ($ours ms)" test "$ours"
ok 'the file is whole' cmp "$(lab_root outside)/home/bear/file" "$(lab_root inside1)/tmp/netem"
theirs=$(took scp -q -O -P 33001 file "bear@$SQUASH:/tmp/scp")
ok "scp ends well ($theirs ms)" test "$theirs"
ok 'asp-cp is ahead' test "${ours:-9999999}" -lt "${theirs:-0}"

done_testing
