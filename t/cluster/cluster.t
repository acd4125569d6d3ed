#!/usr/bin/env bash
# Two proxies that are one: each fault that a cluster can have, with what is to come
# of it, seen by packets that go on, or do not. The last is the death of the master.
# (Those of Redis: cluster-leases.t, cluster-marks.t.)
. "${0%/*}/../lib/tap.sh"
. "${0%/*}/../lib/lab.sh"
. "${0%/*}/../lib/proxy.sh"
. "${0%/*}/../lib/cluster.sh"

milliseconds() { echo $((${EPOCHREALTIME/./} / 1000)); }
diagnosis() { on "$1" "$LAB_ASPERAPROXY" check | grep -E " $2: "; }
# told NODE SOURCE COUNT: its conntrackd knows that many UDP flows of the lease from there.
told() { [ "$(on "$1" conntrackd -e 2> /dev/null | grep -c "udp .*src=$2 .*dport=5000 ")" -ge "$3" ]; }

cluster_timeless=dmz2
cluster_up outside outside2 inside1
is "$(cluster_master)" dmz 'the first node is master'
is "$(cluster_standby)" dmz2 'the other is standby'
for node in dmz dmz2; do
  on "$node" "$LAB_ASPERAPROXY" check > "$TMPDIR/check.$node" &
  judging+=($!)
done
# A session's own UDP: its server echoes elsewhere than a lease's.
cluster_echo inside1 "$INSIDE1:33002"
cluster_echo inside1 "$INSIDE1:7000"
cluster_echo inside1 --tcp "$INSIDE1:7000"
wait "${judging[@]}"
for node in dmz dmz2; do
  judged=$(grep -E ' (cluster_[a-z]+|keepalived|conntrackd): ' "$TMPDIR/check.$node")
  is "$(grep -vc '^ok ' <<< "$judged")" 0 "$node: the doctor finds nothing wrong with the cluster" || diag "$judged"
  is "$(wc -l <<< "$judged")" 6 "$node: and has looked at all of it"
  declare "judged_$node=$judged"
  unlike "$(cat "$TMPDIR/check.$node")" 'sallyport_gate' "$node: nor does it warn of what a standby drops"
done
like "$judged_dmz" 'keepalived: this node is master' 'the doctor knows the master'
like "$judged_dmz2" 'keepalived: this node is standby' 'and the standby'
is "$(grep cluster_config <<< "$judged_dmz")" "$(grep cluster_config <<< "$judged_dmz2")" 'both say that they have the same aspera.conf'
cluster_config | sed "0,/<keyfile>/s//<udp_port>33002<\/udp_port>&/; s|</CONF>|<default><aspshell_commands><command>cat</command></aspshell_commands></default></CONF>|" > "$TMPDIR/aspera.conf"
for node in dmz dmz2; do lab_config "$node" < "$TMPDIR/aspera.conf"; done
on outside2 -u bobcat bash -c 'head -c 12M /dev/urandom > file; head -c 3M /dev/urandom > short'

# This connection through a lease is to outlive all that follows.
cluster_lease dmz
cluster_gap all outside2 --tcp "$SQUASH:5000"

# --- The sync cable is cut: the master stays master, nothing stops; what begins
# meanwhile is told to the standby afterwards.

turns=$(cluster_turns dmz)/$(cluster_turns dmz2)
cluster_gap before outside "$SQUASH:5000"
ok 'the standby is told of a flow' wait_until 10 told dmz2 "$OUTSIDE" 1
lab_link dmz sync down
diagnosis dmz cluster_peers > "$TMPDIR/peers" &
judging=$!
cluster_gap during outside2 "$SQUASH:5000"
more during 100
wait "$judging"
like "$(cat "$TMPDIR/peers")" '^warn .*dmz2 does not answer' 'sync cable cut: the doctor says that the other does not answer'
nok 'the standby was not told of a flow that began meanwhile' told dmz2 "$OUTSIDE2" 1
lab_link dmz sync up
ok 'mended: it is' wait_until 15 told dmz2 "$OUTSIDE2" 1
cluster_gap_stop during
is "$(found during lost)" 0 'of that flow no packet was lost'

# --- conntrackd hangs, and dies, on the master: nothing stops; once it runs again it
# knows all.

kill -STOP $(cluster_pid dmz conntrackd)
cluster_gap without outside "$SQUASH:5000"
more without 40
cluster_crash dmz conntrackd
like "$(diagnosis dmz conntrackd)" '^FAIL .*leases are cut when the other node dies' 'conntrackd killed: the doctor says what is at stake'
# So that its state does not change any more, which would be told by itself.
assured() { [ "$(on dmz conntrack -L -p udp --orig-src "$OUTSIDE" --orig-port-dst 5000 2> /dev/null | grep -c ASSURED)" = 2 ]; }
wait_until 10 assured
ok 'it can be started again' cluster_start dmz conntrackd
ok 'and tells the standby of a flow that began without it' wait_until 10 told dmz2 "$OUTSIDE" 2
cluster_gap_stop without
is "$(found without lost)" 0 'of that flow no packet was lost'

# --- The clock jumps by an hour on the standby, and stays there: nothing happens.

cluster_clock 3600
ok 'the clock of the standby is an hour ahead' test "$(($(on_clock dmz2 date +%s) - $(date +%s)))" -gt 3000
cluster_gap jumped outside2 "$SQUASH:5000"
ok 'it is still told of new flows' wait_until 10 told dmz2 "$OUTSIDE2" 1
more jumped 100
cluster_gap_stop jumped
is "$(found jumped lost)" 0 'of that flow no packet was lost'
cluster_gap_stop before
is "$(found before lost)" 0 'nor of one that ran all the while'
is "$(cluster_turns dmz)/$(cluster_turns dmz2) $(cluster_master)" "$turns dmz" 'in all this no node became anything else'

# --- Split brain: neither hears the other. Both have the addresses, what runs goes on
# by one of them or the other, and when they hear each other again one gives them up.

cluster_lease dmz2
cluster_gap split outside "$SQUASH:5000"
wait_until 10 told dmz2 "$OUTSIDE" 1
more split 20
for node in dmz dmz2; do cluster_deaf "$node"; done
both() { [ "$(cluster_master)" = $'dmz\ndmz2' ]; }
ok 'split brain: both are master' wait_until 10 both
cluster_gap new outside2 "$SQUASH:5000"
ok 'a new flow passes' more new 100
cluster_gap_stop new
is "$(on outside2 -u bear ssh -p 33001 "bear@$SQUASH" cat <<< 'a session')" 'a session' 'a new session works'
for node in dmz dmz2; do cluster_hears "$node"; done
one() { [ "$(cluster_master)" = dmz ]; }
ok 'healed: the first node alone is master' wait_until 10 one
ok 'the other is standby, and knows it' wait_until 10 cluster_knows_its_place dmz2
cluster_gap healed outside2 "$SQUASH:5000"
more healed 100
cluster_gap_stop healed
is "$(found healed lost)" 0 'new flows pass, all of them'
cluster_gap_stop split
ok 'what ran before it goes on after it' test "$(found split silent_ms)" -lt 500
ok 'with no gap of a second' test "$(found split gap_ms)" -lt 1000

# --- The health: sshd that does not listen, and a drain, make a node give way.

lab_sshd dmz stop
ok 'no sshd: the other node takes over' cluster_takes_over dmz2
lab_sshd dmz start
healthy_again() { lab_log dmz | sed -n '/VRRP_Script(health) failed/,$p' | grep -q 'Entering BACKUP STATE'; }
ok 'back again the node is healthy' wait_until 10 healthy_again
more all 100
is "$(cluster_master)" dmz2 'and does not take the addresses from a living master'

# So a pair is upgraded: what runs on the master ends well, what begins meanwhile is
# refused for a while, and then served by the other.
proxy_host=dmz2
on_exec outside2 -u bobcat asp-cp -l 20M -P 33001 short "bobcat@$INDIVIDUAL:/tmp/before-drain" 2> "$TMPDIR/before.err" &
running=$!
runs() { [ "$(proxy_open_sessions)" = 1 ] && [ -n "$(cluster_flows dmz2 0x8000000/0x18000000)" ]; }
ok 'a transfer runs' wait_until 10 runs
on dmz2 "$LAB_ASPERAPROXY" drain > /dev/null
on_exec outside2 -u bobcat asp-cp -R 10 -P 33001 short "bobcat@$INDIVIDUAL:/tmp/since-drain" 2> "$TMPDIR/since.err" &
waiting=$!
wait "$running"
is "$?/$(cat "$TMPDIR/before.err")" 0/ 'drained: it ends well'
ok 'and then the node gives way' cluster_takes_over dmz
wait "$waiting"
is "$?" 0 'a transfer that began meanwhile waited for that'
like "$(cat "$TMPDIR/since.err")" 'trying again' 'it was refused first'
is "$(on inside1 sha256sum /tmp/before-drain /tmp/since-drain | cut -d ' ' -f 1 | uniq -c | xargs)" \
  "2 $(on outside2 sha256sum /home/bobcat/short | cut -d ' ' -f 1)" 'both files are whole'
proxy_host=dmz
on dmz2 "$LAB_ASPERAPROXY" undrain > /dev/null
is "$(on dmz2 "$LAB_ASPERAPROXY" health)" healthy 'undrained it is healthy again'
cluster_no_lease dmz2
ok 'a connection through a lease has outlived all this' more all 20

# --- The master dies. What runs then:

cluster_gap lease outside2 "$SQUASH:5000"
sum=$(on outside2 sha256sum /home/bobcat/file | cut -d ' ' -f 1)
on_exec outside2 -u bobcat asp-cp -v -R 20 -l 6M -P 33001 file "bobcat@$INDIVIDUAL:/tmp/arrived" 2> "$TMPDIR/retry.err" &
retry=$!
proxy_session reverse outside bear "$SQUASH" cat
cluster_gap reverse outside "$SQUASH:33001"
began=$(milliseconds)
is "$(on outside2 -u bear ssh -p 33001 "bear@$SQUASH" cat <<< 'a session')" 'a session' 'a session works'
alone=$(($(milliseconds) - began))
partial() { [ "$(on inside1 stat -c %s /tmp/.arrived.asp-part 2> /dev/null || echo 0)" -gt 2000000 ]; }
ok 'a transfer runs' wait_until 20 partial
ok 'a session with UDP, too' more reverse 20
replicated() {
  local known
  known=$(on dmz2 conntrackd -e)
  [ "$(grep -c 'dport=5000 ' <<< "$known")" -ge 2 ] && grep -q "udp .*src=$OUTSIDE .*dport=33001 " <<< "$known"
}
ok 'the standby'"'"'s conntrackd knows their flows' wait_until 10 replicated
nok 'it has no rules for them' on dmz2 nft list table inet lease 2> /dev/null
cluster_gap visits outside "$SQUASH:33001" --visit --every 0.2
cluster_gap visits6 outside "[$SQUASH_6]:33001" --visit --every 0.2
more visits 5
more visits6 5

died=$(milliseconds)
cluster_kill dmz
more visits 1
kill -TERM "${cluster_gap_pid[visits]}"
is "$(on outside2 -u bear ssh -p 33001 "bear@$SQUASH" cat <<< 'a new session')" 'a new session' 'a new session works on the survivor'
took=$(($(milliseconds) - died))
cluster_gap_end visits
cluster_gap_stop visits6
ok 'the survivor takes connections within 1 s' test "$(found visits gap_ms)" -lt 1000
ok 'of IPv6, too' test "$(found visits6 gap_ms)" -lt 1000 -a "$(found visits6 silent_ms)" -lt 1000
# Its own time depends on what else runs on this machine.
ok "the session has ended $took ms after the death: within 1 s, and three times what one took before ($alone ms)" test "$took" -lt "$((1000 + 3 * alone))"
proxy_host=dmz2
ok 'the survivor is master' cluster_takes_over dmz2
diag "$(lab_log dmz2 | grep -oE 'Became master.*|Reaped.*' | tail -n 8)"

# The client of the dead session goes on sending all the while.
lab_capture inside1 lan 'udp dst port 33002' "$TMPDIR/carried"
more reverse 100 sent
lab_capture_end
is "$(cat "$TMPDIR/carried")" '' 'the UDP of the dead node'"'"'s session reaches no server'
is "$(cluster_flows dmz2 0x8000000/0x18000000 | grep -v "src=$OUTSIDE2 ")" '' 'the survivor has no flow of it'
cluster_gap_stop reverse
ok 'nor was it answered since' test "$(found reverse silent_ms)" -gt 500
more lease 20
more all 20
cluster_gap_stop lease
cluster_gap_stop all
ok 'UDP of a lease goes on: an answer came at the end' test "$(found lease silent_ms)" -lt 500
ok "with a gap under 1 s" test "$(found lease gap_ms)" -lt 1000
ok 'and nothing lost but what was under way in the gap' test "$(($(found lease lost) * 5))" -le "$(($(found lease gap_ms) + 100))"
ok 'TCP of a lease goes on, too' test "$(found all silent_ms)" -lt 500
is "$(found all lost)" 0 'and has lost not a byte, from its beginning on'
wait "$retry"
is "$?" 0 'asp-cp -R takes the transfer up again on the survivor'
diag "$(cat "$TMPDIR/retry.err")"
like "$(cat "$TMPDIR/retry.err")" '12582912 bytes, [1-9][0-9]+ resumed' 'from where it was'
is "$(on inside1 sha256sum /tmp/arrived | cut -d ' ' -f 1)" "$sum" 'and the file is whole'
done_testing
