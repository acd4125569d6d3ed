#!/usr/bin/env bash
# A proxy dies, and the other goes on: what outlives it, what does not, and how
# long it takes.
. "${0%/*}/../lib/tap.sh"
. "${0%/*}/../lib/lab.sh"
. "${0%/*}/../lib/proxy.sh"
. "${0%/*}/../lib/cluster.sh"

milliseconds() { echo $((${EPOCHREALTIME/./} / 1000)); }
gap_of() { sed -n 's/.*"gap_ms": \([0-9]*\).*/\1/p' "$1"; }

cluster_up outside outside2 inside1
is "$(cluster_master)" dmz 'the first node is master'
is "$(cluster_standby)" dmz2 'the other is standby'
for node in dmz dmz2; do
  judged=$(on "$node" "$LAB_ASPERAPROXY" check | grep -E ' (cluster_[a-z]+|keepalived|conntrackd): ')
  is "$(grep -vc '^ok ' <<< "$judged")" 0 "$node: the doctor finds nothing wrong with the cluster"
  is "$(wc -l <<< "$judged")" 6 "$node: and has looked at all of it"
done
like "$(on dmz "$LAB_ASPERAPROXY" check)" 'keepalived: this node is master' 'the doctor knows the master'
like "$(on dmz2 "$LAB_ASPERAPROXY" check)" 'keepalived: this node is standby' 'and the standby'
is "$(on dmz "$LAB_ASPERAPROXY" check | grep cluster_config)" "$(on dmz2 "$LAB_ASPERAPROXY" check | grep cluster_config)" \
  'both say that they have the same aspera.conf'

# A flow as a lease makes one: only the master has a rule for it.
lab_udp inside1 echo "$INSIDE1:7000" "$TMPDIR/leased"
on dmz nft -f - << END
table inet lease {
  chain before {
    type nat hook prerouting priority -105;
    ip daddr $SQUASH udp dport 5000 ct mark set 0x18000000 dnat ip to $INSIDE1:7000
  }
  chain after {
    type nat hook postrouting priority 90;
    ct mark 0x18000000 snat ip to $INSIDE_SHARED
  }
}
END
# A reverse session with UDP, and a transfer that can be taken up again.
lab_udp inside1 echo "$INSIDE1:33001" "$TMPDIR/session"
proxy_allow cat
proxy_session reverse outside bear "$SQUASH" cat
on_exec outside python3 "$LAB_LIB/gap.py" "$SQUASH:33001" --for 6 > "$TMPDIR/reverse.json" &
reverse=$!
on_exec outside2 python3 "$LAB_LIB/gap.py" "$SQUASH:5000" --for 4 > "$TMPDIR/lease.json" &
lease=$!
known() { [ -n "$(cluster_flows dmz 0x18000000)" ] && proxy_flows | grep -q dport=33001; }
ok 'both flows are in the master'"'"'s kernel' wait_until 10 known
replicated() { [ "$(on dmz2 conntrackd -e -n 2> /dev/null | grep -cE 'dport=(5000|33001)')" -ge 2 ]; }
on dmz2 conntrackd -e | head -5
on dmz2 conntrackd -e | grep -cE 'udp.*dport=(5000|33001) '
is "$(cluster_flows dmz2 0x8000000/0x8000000)" '' 'the standby'"'"'s kernel has neither of them'
sleep 1

died=$(milliseconds)
cluster_kill dmz
served() { on outside -u bear ssh -o ConnectTimeout=1 -p 33001 "bear@$SQUASH" 'ascp -S. -V1' < /dev/null > /dev/null 2>&1; [ $? != 255 ]; }
wait_until 10 served
took=$(($(milliseconds) - died))
diag "the first session on the survivor was served $took ms after the death"
cluster_takes_over dmz2
wait "$lease"
diag "$(cat "$TMPDIR/lease.json")"
wait "$reverse"
diag "$(cat "$TMPDIR/reverse.json")"
lab_log dmz2 | grep asperaproxy
lab_log dmz2 | grep reap -i
is "$(cluster_flows dmz2 0x8000000/0x18000000)" '' 'none'
cluster_flows dmz2 0x18000000
done_testing
