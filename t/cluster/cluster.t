#!/usr/bin/env bash
# A proxy dies, and the other goes on: what outlives it, what does not, and how
# long it takes.
. "${0%/*}/../lib/tap.sh"
. "${0%/*}/../lib/lab.sh"
. "${0%/*}/../lib/proxy.sh"
. "${0%/*}/../lib/cluster.sh"

milliseconds() { echo $((${EPOCHREALTIME/./} / 1000)); }

cluster_up outside outside2 inside1
is "$(cluster_master)" dmz 'the first node is master'
is "$(cluster_standby)" dmz2 'the other is standby'
for node in dmz dmz2; do
  judged=$(on "$node" "$LAB_ASPERAPROXY" check | grep -E ' (cluster_[a-z]+|keepalived|conntrackd): ')
  is "$(grep -vc '^ok ' <<< "$judged")" 0 "$node: the doctor finds nothing wrong with the cluster" || diag "$judged"
  is "$(wc -l <<< "$judged")" 6 "$node: and has looked at all of it"
  declare "judged_$node=$judged"
done
like "$judged_dmz" 'keepalived: this node is master' 'the doctor knows the master'
like "$judged_dmz2" 'keepalived: this node is standby' 'and the standby'
is "$(grep cluster_config <<< "$judged_dmz")" "$(grep cluster_config <<< "$judged_dmz2")" 'both say that they have the same aspera.conf'

# --- what runs when it dies ---

cluster_echo inside1 "$INSIDE1:7000"
cluster_echo inside1 --tcp "$INSIDE1:7000"
cluster_lease dmz
cluster_gap lease-udp outside2 "$SQUASH:5000" --for 5
cluster_gap lease-tcp outside2 --tcp "$SQUASH:5000" --for 5
on outside2 -u bobcat bash -c 'head -c 60M /dev/urandom > file'
sum=$(on outside2 sha256sum /home/bobcat/file | cut -d ' ' -f 1)
# Its own UDP is no transfer's: the session's server echoes elsewhere.
cluster_echo inside1 "$INSIDE1:33002"
cluster_config | sed "0,/<keyfile>/s//<udp_port>33002<\/udp_port>&/; s|</CONF>|<default><aspshell_commands><command>cat</command></aspshell_commands></default></CONF>|" > "$TMPDIR/aspera.conf"
for node in dmz dmz2; do lab_config "$node" < "$TMPDIR/aspera.conf"; done
proxy_session reverse outside bear "$SQUASH" cat
cluster_gap reverse outside "$SQUASH:33001" --for 4
on_exec outside2 -u bobcat asp-cp -v -R 20 -l 80M -P 33001 file "bobcat@$INDIVIDUAL:/tmp/arrived" 2> "$TMPDIR/retry.err" &
retry=$!
partial() { [ "$(on inside1 stat -c %s /tmp/.arrived.asp-part 2> /dev/null || echo 0)" -gt 5000000 ]; }
ok 'a transfer runs' wait_until 20 partial
talking() { cluster_flows dmz 0x8000000/0x8000000 | grep -q "dport=33001.*src=$INSIDE1.*sport=33002.*ASSURED"; }
ok 'and a session with UDP' wait_until 10 talking
replicated() {
  local known
  known=$(on dmz2 conntrackd -e)
  [ "$(grep -c 'dport=5000 ' <<< "$known")" = 2 ] && grep -q 'udp .*dport=33001 ' <<< "$known"
}
ok 'the standby'"'"'s conntrackd knows their flows' wait_until 10 replicated
is "$(cluster_flows dmz2 0x8000000/0x8000000)" '' 'its kernel does not, yet'
nok 'nor has it rules for them' on dmz2 nft list table inet lease 2> /dev/null
lab_capture inside1 lan "udp dst port 33002" "$TMPDIR/carried"

# --- it dies ---

died=$(milliseconds)
cluster_kill dmz
connected() { on outside2 timeout 0.2 bash -c "exec 3<> /dev/tcp/$SQUASH/33001" 2> /dev/null; }
wait_until 10 connected
diag "the survivor takes connections $(($(milliseconds) - died)) ms after the death"
is "$(on outside2 -u bear ssh -p 33001 "bear@$SQUASH" cat <<< 'a new session')" 'a new session' 'a new session works on the survivor'
took=$(($(milliseconds) - died))
ok "within 1 s of the death, and what a session takes by itself ($took ms)" test "$took" -lt 2500
proxy_host=dmz2
ok 'the survivor is master' cluster_takes_over dmz2
diag "$(lab_log dmz2 | grep -oE 'Became master.*|Reaped.*')"

is "$(cluster_flows dmz2 0x8000000/0x18000000)" '' 'the dead node'"'"'s sessions have no flows here'
cluster_gap_end reverse
ok 'their UDP is not carried on' test "$(found reverse silent_ms)" -gt 1000
cluster_gap_end lease-udp
cluster_gap_end lease-tcp
ok 'UDP of a lease goes on: an answer came at the end' test "$(found lease-udp silent_ms)" -lt 500
ok "with a gap under 1 s" test "$(found lease-udp gap_ms)" -lt 1000
ok 'and nothing lost but what was under way in the gap' test "$(($(found lease-udp lost) * 5))" -le "$(($(found lease-udp gap_ms) + 100))"
is "$(found lease-tcp lost)" 0 'TCP of a lease loses not a byte'
ok 'and goes on, too' test "$(found lease-tcp silent_ms)" -lt 500
wait "$retry"
is "$?" 0 'asp-cp -R takes the transfer up again on the survivor'
diag "$(cat "$TMPDIR/retry.err")"
like "$(cat "$TMPDIR/retry.err")" '62914560 bytes, [1-9][0-9]+ resumed' 'from where it was'
is "$(on inside1 sha256sum /tmp/arrived | cut -d ' ' -f 1)" "$sum" 'and the file is whole'
done_testing
