#!/usr/bin/env bash
# asperaproxy cluster-config: what it writes is what each program takes, and
# nothing of aspera.conf can say more there than a value.
. "${0%/*}/../lib/tap.sh"
. "${0%/*}/../lib/lab.sh"
. "${0%/*}/../lib/proxy.sh"
. "${0%/*}/../lib/cluster.sh"

cluster_options="<redis>$DMZ_SYNC:6379, $DMZ2_SYNC:6379</redis>
<sentinels>$DMZ_SYNC:26379 $DMZ2_SYNC:26379</sentinels>
<redis_password_file>/etc/redis/password</redis_password_file>"
password=correct.horse-battery_staple
lab_up dmz dmz2
for node in dmz dmz2; do
  root=$(lab_root "$node")
  install -d "$root/etc/redis" "$root/var/lib/redis"
  (umask 077 && echo "$password" > "$root/etc/redis/password")
  cluster_config | lab_config "$node"
  status 0 "$node: its files are written" on "$node" "$LAB_ASPERAPROXY" cluster-config
  is "$(wc -l <<< "$out")" 5 'five of them, each with its place'
  ok 'and put there' cluster_write "$node"
  status 0 'keepalived takes its own' on "$node" keepalived -t
  is "$err" '' 'without a word'
  ok 'conntrackd takes its own, and answers' cluster_start "$node" conntrackd
  is "$(on "$node" stat -c %a "$LAB_PREFIX/etc/cluster/redis.conf" "$LAB_PREFIX/etc/cluster/sentinel.conf" | sort -u)" 640 'what has the password is not for all'
  is "$(on "$node" sh -c "cat $LAB_PREFIX/etc/cluster/keepalived.conf $LAB_PREFIX/etc/cluster/conntrackd.conf" | grep -c "$password")" 0 'the others do not have it'
  ok 'Redis takes its own' cluster_start "$node" redis
done
redis() { on "$1" env REDISCLI_AUTH="$2" redis-cli -h "$3" -p "$4" "${@:5}" 2>&1; }
replicates() { redis dmz "$password" "$DMZ_SYNC" 6379 info replication | grep -q 'connected_slaves:1'; }
ok 'the second replicates the first' wait_until 15 replicates
like "$(redis dmz wrong "$DMZ_SYNC" 6379 ping)" 'WRONGPASS|NOAUTH' 'nobody gets in without the password'
for node in dmz dmz2; do ok "$node: Sentinel takes its own" cluster_start "$node" sentinel; done
knows_master() { redis dmz "$password" "$DMZ_SYNC" 26379 sentinel get-master-addr-by-name sallyport | grep -qx "$DMZ_SYNC"; }
ok 'and knows the master' wait_until 10 knows_master

# --- what it refuses ---

refuses() {  # NAME PATTERN SED-EXPRESSION
  cluster_config | sed "$3" > "$TMPDIR/refused.conf"
  on dmz sh -c 'cat > /root/refused.conf' < "$TMPDIR/refused.conf"
  status 78 "$1: refused" on dmz "$LAB_ASPERAPROXY" cluster-config --config /root/refused.conf /root/out
  like "$err" "$2" 'which is said'
  nok 'nothing is written' on dmz test -e /root/out
}
refuses 'an interface with a line of its own' 'outside_interface: .*not valid' 's/>wan</>wan\&#10;}</'
refuses 'an address with words behind it' 'outside_addresses: .*not valid' "s|$SQUASH/24|$SQUASH/24 dev lan|"
refuses 'a node that is not called like a host' 'name .*not valid' 's/name="dmz2"/name="dmz2\&#10;script"/'
refuses 'a Redis with a line of its own' 'redis: .*not valid' "s|<redis>$DMZ_SYNC:6379|&\&#10;loadmodule|"
refuses 'a Redis without a password' '<redis> without <redis_password_file>' 's|<redis_password_file>.*</redis_password_file>||'
refuses 'no cluster' 'no <cluster> that is enabled' '/<cluster>/d; s/<cluster>.*<.cluster>//'
refuses 'a host that is no node' 'dmz: no node of the cluster; they are other, dmz2' 's/name="dmz"/name="other"/'
root=$(lab_root dmz)
for bad in '' 'two words' $'a\nrequirepass b' '"' '#'; do
  (umask 077 && printf %s "$bad" > "$root/etc/redis/password")
  refuses "the password '${bad//$'\n'/\\n}'" 'must hold one line' ''
done
echo "$password" > "$root/etc/redis/password"
chmod 644 "$root/etc/redis/password"
refuses 'a password that all can read' 'for root alone' ''
chmod 600 "$root/etc/redis/password"
status 64 'an unknown option' on dmz "$LAB_ASPERAPROXY" cluster-config --nodes dmz
status 64 'two directories' on dmz "$LAB_ASPERAPROXY" cluster-config a b
on dmz ln -s /etc/passwd /root/keepalived.conf
status 0 'a link in the way' on dmz "$LAB_ASPERAPROXY" cluster-config /root
nok 'is not followed' on dmz grep -q vrrp /etc/passwd

# They say hello to each other every other second; until here there was something to do.
meet() { redis dmz "$password" "$DMZ_SYNC" 26379 sentinel master sallyport | grep -A 1 num-other-sentinels | grep -qx 1; }
ok 'each Sentinel knows the other' wait_until 15 meet

# --- three nodes, and IPv6 ---

cluster_stop dmz conntrackd
cluster_config | sed "s|</nodes>|<node name=\"dmz3\">192.0.2.132</node>&|" | lab_config dmz
ok 'three nodes: written' cluster_write dmz
like "$(on dmz cat /etc/conntrackd/conntrackd.conf)" 'Mode NOTRACK.*Multicast' 'each tells all others'
ok 'which conntrackd takes' cluster_start dmz conntrackd
status 0 'and keepalived' on dmz keepalived -t
cluster_stop dmz conntrackd
cluster_options=
cluster_config | sed "s|>$DMZ_SYNC<|>$DMZ_SYNC_6<|; s|>$DMZ2_SYNC<|>$DMZ2_SYNC_6<|; s|$SQUASH/24, $INDIVIDUAL/24, ||; s|$INSIDE_SHARED/24, ||" | lab_config dmz
ok 'IPv6 alone: written' cluster_write dmz
ok 'which conntrackd takes' cluster_start dmz conntrackd
status 0 'and keepalived' on dmz keepalived -t
cluster_config | sed "s|>$DMZ_SYNC<|>$DMZ_SYNC_6<|; s|>$DMZ2_SYNC<|>$DMZ2_SYNC_6<|; s|</nodes>|<node name=\"dmz3\">2001:db8:4::9</node>&|" | lab_config dmz
status 78 'three nodes of IPv6: refused' on dmz "$LAB_ASPERAPROXY" cluster-config
like "$err" 'IPv4 multicast' 'and why'
done_testing
