#!/usr/bin/env bash
# What may fail in a cluster besides a node: each with what is to come of it,
# seen by the packets of a lease that go on, or do not.
. "${0%/*}/../lib/tap.sh"
. "${0%/*}/../lib/lab.sh"
. "${0%/*}/../lib/proxy.sh"
. "${0%/*}/../lib/cluster.sh"

cluster_up outside outside2 inside1
cluster_echo inside1 "$INSIDE1:7000"
cluster_lease dmz
# New flows of the lease, also on the other node: for when both are master.
knows() { on "$1" conntrackd -e 2> /dev/null | grep -q "dport=$2 "; }
carries() {  # NAME HOST SECONDS: a new flow through the lease, to its end
  cluster_gap "$1" "$2" "$SQUASH:5000" --for "$3"
  cluster_gap_end "$1"
}
diagnosis() { on "$1" "$LAB_ASPERAPROXY" check | grep -E " $2: "; }

# --- The sync cable is cut: the master stays master, nothing stops; what begins
# meanwhile is told to the standby afterwards.
cluster_gap before outside "$SQUASH:5000" --for 3
wait_until 10 knows dmz2 5000
lab_link dmz sync down
carries during outside2 0.5
is "$(found during lost)" 0 'sync cable cut: new flows pass'
is "$(cluster_master)" dmz 'and nobody else becomes master'
cluster_gap unknown outside2 "$SQUASH:5000" --for 6
sleep 0.3
source_of_newest() { on dmz conntrack -L -p udp 2> /dev/null | sed -n "s/.*src=$OUTSIDE2 dst=$SQUASH sport=\([0-9]*\) .*dport=5000.*/\1/p" | tail -n 1; }
like "$(diagnosis dmz cluster_peers)" '^warn .*dmz2 does not answer' 'the doctor says that the other does not answer'
cluster_gap_end before
is "$(found before lost)" 0 'not a packet of those that ran is lost'
lab_link dmz sync up
all_told() { [ "$(on dmz2 conntrackd -e | grep -c "src=$OUTSIDE2 .*dport=5000 ")" -ge 1 ]; }
ok 'mended: the standby hears of what began meanwhile' wait_until 15 all_told

# --- conntrackd dies on the master: nothing stops; once it runs again it knows all.
kill -KILL $(cluster_pid dmz conntrackd)
wait_until 10 eval '[ -z "$(cluster_pid dmz conntrackd)" ]'
carries without outside 0.5
is "$(found without lost)" 0 'conntrackd killed: flows pass'
is "$(cluster_master)" dmz 'and the master stays'
like "$(diagnosis dmz conntrackd)" '^FAIL .*leases are cut when the other node dies' 'the doctor says what is at stake'
ok 'it can be started again' cluster_start dmz conntrackd
cluster_gap after outside "$SQUASH:5000" --for 2
ok 'and the standby hears of new flows' wait_until 10 eval 'on dmz2 conntrackd -e | grep -q "src=$OUTSIDE .*dport=5000 .*active since [0-2]s"'
cluster_gap_end after

# --- The clock jumps by an hour on the standby, for all that runs there (libfaketime
# shows them the other time; the kernel's own is all hosts'): nothing happens.
cluster_stop dmz2 keepalived
cluster_stop dmz2 conntrackd
faked() { on dmz2 env LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1 DONT_FAKE_MONOTONIC=1 FAKETIME_TIMESTAMP_FILE=/root/clock FAKETIME_NO_CACHE=1 "$@"; }
echo '+0' > "$(lab_root dmz2)/root/clock"
faked conntrackd -d
before=$(cluster_turns dmz)
faked keepalived --vrrp
wait_until 10 cluster_syncs dmz2
wait_until 10 cluster_knows_its_place dmz2
cluster_gap jumped outside "$SQUASH:5000" --for 2
echo '+3600' > "$(lab_root dmz2)/root/clock"
ok 'the clock of the standby is an hour ahead' test "$(($(faked date +%s) - $(date +%s)))" -gt 3000
cluster_gap_end jumped
is "$(found jumped lost) $(cluster_master) $(cluster_turns dmz)" "0 dmz $before" 'clock jumped: no packet is lost, the master stays'
ok 'the standby still hears of new flows' eval 'on dmz2 conntrackd -e | grep -q "src=$OUTSIDE .*dport=5000 "'

# --- Split brain: neither hears the other. Both have the addresses, what runs goes on
# by one of them or the other, and when they hear each other again one gives them up.
cluster_lease dmz2
cluster_gap split outside "$SQUASH:5000" --for 6
wait_until 10 knows dmz2 5000
for node in dmz dmz2; do cluster_deaf "$node"; done
both() { [ "$(cluster_master)" = $'dmz\ndmz2' ]; }
ok 'split brain: both are master' wait_until 10 both
carries new outside2 1
ok 'a new flow passes' test "$(found new answers)" -gt 100
for node in dmz dmz2; do cluster_hears "$node"; done
one() { [ "$(cluster_master)" = dmz ]; }
ok 'healed: the first node alone is master' wait_until 10 one
ok 'the other is standby, and knows it' wait_until 10 cluster_knows_its_place dmz2
carries healed outside2 1
is "$(found healed lost)" 0 'new flows pass, all of them'
cluster_gap_end split
ok 'what ran before it goes on after it' test "$(found split silent_ms)" -lt 500
ok 'with no gap of a second' test "$(found split gap_ms)" -lt 1000

# --- The health: sshd that does not listen, and a drain, make a node give way.
lab_sshd dmz stop
ok 'no sshd: the other node takes over' cluster_takes_over dmz2
lab_sshd dmz start
sleep 1.2
is "$(cluster_master)" dmz2 'back again it does not take the addresses from a living master'
on dmz2 "$LAB_ASPERAPROXY" drain > /dev/null
ok 'drained and without sessions, the other gives way' cluster_takes_over dmz
on dmz2 "$LAB_ASPERAPROXY" undrain > /dev/null
is "$(on dmz2 "$LAB_ASPERAPROXY" health)" healthy 'undrained it is healthy again'
kill -STOP $(cluster_pid dmz conntrackd)
cluster_gap hung outside "$SQUASH:5000" --for 1
cluster_gap_end hung
is "$(found hung lost)" 0 'a conntrackd that hangs stops no flow'
kill -CONT $(cluster_pid dmz conntrackd)
# Redis killed, and Redis slow: with the lease store.
done_testing
