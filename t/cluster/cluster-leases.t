#!/usr/bin/env bash
# Leases of a cluster: someone on inner moves a file to outer by asp-cp through
# asp-forward, and talks to it by ssh; Redis stops, comes back with nothing, and then
# his proxy dies, and the master of Redis and a Sentinel with it. He has to do nothing.
. "${0%/*}/../lib/tap.sh"
. "${0%/*}/../lib/lab.sh"
. "${0%/*}/../lib/proxy.sh"
. "${0%/*}/../lib/forward.sh"
. "${0%/*}/../lib/cluster.sh"

# The third Sentinel is needed: of two, none is a majority when one died.
cluster_options="<redis>$DMZ_SYNC:6379, $DMZ2_SYNC:6379</redis>
<sentinels>$DMZ_SYNC:26379, $DMZ2_SYNC:26379, $BALANCER_SYNC:26379</sentinels>"
eval "only_$(declare -f cluster_config)"
cluster_config() {
  only_cluster_config | sed 's|</server>|<http_port>9091</http_port><enable_http>true</enable_http><enable_https>false</enable_https><proxy><enabled>true</enabled><allowed_destinations>0.0.0.0/0 ::/0</allowed_destinations><session_timeout>60</session_timeout><keepalive_interval>3</keepalive_interval><cleanup_interval>1</cleanup_interval></proxy></server>|'
}

api_base=http://$INSIDE_SHARED:9091
service() {  # NODE: its node service, with alice
  printf 'alice-secret\n' | on "$1" "$LAB_PREFIX/bin/asnodeadmin" -au alice -x bear -p - > /dev/null 2>&1 || return
  on_exec "$1" "$LAB_PREFIX/libexec/asp-lease" > /dev/null 2>&1 < /dev/null &
  wait_until 10 on "$1" test -S /run/sallyport/lease.sock || return
  on_exec "$1" "$LAB_PREFIX/bin/asperanoded" > "$TMPDIR/asperanoded.$1" 2>&1 < /dev/null &
  wait_until 20 lab_listens "$1" 9091
}
sentinel_of_balancer() {
  local root
  root=$(lab_root balancer)
  install -d "$root/etc/redis" "$root/var/lib/redis"
  sed "s/^bind $DMZ2_SYNC/bind $BALANCER_SYNC/" "$(lab_root dmz2)$LAB_PREFIX/etc/cluster/sentinel.conf" > "$root/etc/redis/sentinel.conf"
  cluster_start balancer sentinel
}
redis_at() { on "$1" env "REDISCLI_AUTH=$CLUSTER_PASSWORD" redis-cli -h "$2" -p "${3-6379}" "${@:4}" 2> /dev/null; }
replicates() { redis_at dmz "$DMZ_SYNC" 6379 info replication | grep -q 'state=online'; }
sentinels_meet() { redis_at balancer "$BALANCER_SYNC" 26379 sentinel master sallyport | paste - - | grep -q 'num-other-sentinels[[:space:]]2' && redis_at balancer "$BALANCER_SYNC" 26379 sentinel master sallyport | paste - - | grep -q 'num-slaves[[:space:]]1'; }
redis_has() { [ "$(redis_at "$1" "$2" 6379 exists "sallyport:lease:$3")" = 1 ]; }
# How long Sentinels wait until they make another Redis the master.
sentinels_wait() {
  local each
  for each in "$DMZ_SYNC" "$DMZ2_SYNC" "$BALANCER_SYNC"; do redis_at balancer "$each" 26379 sentinel set sallyport down-after-milliseconds "$1" > /dev/null; done
}
elements() { on "$1" nft list table inet sallyport_lease 2> /dev/null | grep -c "$2"; }
milliseconds() { echo $((${EPOCHREALTIME/./} / 1000)); }
can_lease() { api POST /proxy/leases "{\"destination\": \"$OUTER\"}"; [ "$status" = 201 ]; }

cluster_up inner outer balancer
for node in dmz dmz2; do
  install -d "$(lab_root $node)/var/lib/redis"
  ok "$node: the node service starts" service "$node"
done
api GET /proxy/leases
is "$status" 200 'the shared address answers'
lease "$OUTER" 2> /dev/null > /dev/null
is "$status $(field code)" '503 store_unavailable' 'without Redis there are no leases, and the answer says why'
for node in dmz dmz2; do ok "$node: Redis starts" cluster_start "$node" redis; done
ok 'Redis replicates' wait_until 10 replicates
for node in dmz dmz2; do cluster_start "$node" sentinel; done
sentinel_of_balancer
ok 'three Sentinels meet' wait_until 15 sentinels_meet
ok 'then there are leases' wait_until 10 can_lease
is "$(field host)" "$INSIDE_SHARED" 'at the shared address'
api_base=http://$DMZ2_LAN:9091 api POST /proxy/leases "{\"destination\": \"$OUTER\"}"
is "$status $(field code)" '503 standby' 'the standby gives none'

# --- what runs ---

cluster_echo outer "$OUTER:7000"
cluster_echo outer --tcp "$OUTER:7000"
lease "$OUTER" '"ssh_port": 7000, "udp_port": 7000'
held=$lease held_port=$udp_port
cluster_gap udp inner "$INSIDE_SHARED:$udp_port"
cluster_gap tcp inner --tcp "$INSIDE_SHARED:$ssh_port"
on inner -u bear bash -c 'head -c 120M /dev/urandom > up'
sum=$(on inner sha256sum /home/bear/up | cut -d ' ' -f 1)
forward() { on_exec inner -u bear env ASPERA_PROXY_PASS=alice-secret timeout 60 asp-forward --proxy "dnat://alice@$INSIDE_SHARED:9091" "$@"; }
forward --to outer.example.com --ssh-port 33001 -- asp-cp -q -l 40M -P %P -O %O up 'xfer@[%h]:up' > "$TMPDIR/cp.out" 2>&1 < /dev/null &
copying=$!
forward --to outer.example.com --ssh-port 33001 -- bash -c 'for i in $(seq 200); do echo $i; sleep 0.1; done | ssh -o HostKeyAlias=outer.example.com -p %P xfer@%h cat' > "$TMPDIR/ssh.out" 2> "$TMPDIR/ssh.err" < /dev/null &
talking=$!
partial() { [ "$(on outer stat -c %s /home/xfer/.up.asp-part 2> /dev/null || echo 0)" -gt "$1" ]; }
ok 'a transfer runs through a lease' wait_until 20 partial 3000000
ok 'and an ssh' wait_until 10 test -s "$TMPDIR/ssh.out"
is "$(on dmz2 nft list table inet sallyport_lease 2> /dev/null | grep -c 'timeout .*comment')" 0 'the standby has no mapping'
on dmz2 "$LAB_PREFIX/bin/asp-reap"
ok 'nor does its asp-reap end one' test "$(elements dmz "$held")" = 2

# --- Redis is stopped, then killed, all of it ---

sentinels_wait 60000
for node in dmz dmz2; do kill -STOP "$(cluster_pid $node redis)"; done
began=$(milliseconds)
lease "$OUTER" > /dev/null 2>&1
is "$status $(field code)" '503 store_unavailable' 'Redis stopped: no new lease'
ok 'said within 2 s' test "$(($(milliseconds) - began))" -lt 2000
api PUT "/proxy/leases/$held"
is "$status" 200 'leases can be renewed'
for node in dmz dmz2; do ok "$node: its Redis is killed" cluster_crash "$node" redis; done
for node in dmz dmz2; do ok 'and started anew' cluster_start "$node" redis; done
ok 'Redis has the leases again' wait_until 15 redis_has dmz "$DMZ_SYNC" "$held"
ok 'both have' wait_until 15 redis_has dmz2 "$DMZ2_SYNC" "$held"
ok 'and there are new ones' wait_until 10 can_lease
named() { [ "$(redis_at dmz2 "$DMZ2_SYNC" 26379 sentinel get-master-addr-by-name sallyport | head -n 1)" = "$1" ]; }
sentinels_wait 1000
ok 'the master of Redis is on the master' wait_until 10 named "$DMZ_SYNC"
known() { [ "$(on dmz2 conntrackd -e | grep -cE "dst=$INSIDE_SHARED .*dport=50[0-9]{2} ")" -ge 5 ]; }
ok 'the standby was told of all flows' wait_until 10 known

# --- the proxy dies, and with it the master of Redis and a Sentinel ---

ok '(the transfer still runs)' kill -0 "$copying"
died=$(milliseconds)
cluster_kill dmz
renewed() { api PUT "/proxy/leases/$held"; [ "$status" = 200 ]; }
ok 'the lease is renewed at the survivor' wait_until 10 renewed
diag "renewed $(($(milliseconds) - died)) ms after the death"
ok 'the survivor is master' cluster_takes_over dmz2
diag "$(lab_log dmz2 | grep -oE '(Became master|Took over|Leases are not).*')"
is "$(elements dmz2 "$held")" 2 'it has laid the lease'
ok 'new leases come when Sentinel has made its Redis the master' wait_until 20 can_lease
diag "new leases $(($(milliseconds) - died)) ms after the death"
wait "$copying"
is "$?" 0 'the transfer ends well'
diag "$(cat "$TMPDIR/cp.out" "$TMPDIR/ssh.err")"
is "$(on outer sha256sum /home/xfer/up | cut -d ' ' -f 1)" "$sum" 'and the file is whole'
wait "$talking"
is "$?" 0 'so does the ssh'
is "$(sha256sum < "$TMPDIR/ssh.out")" "$(seq 200 | sha256sum)" 'not a byte of it lost'
for each in udp tcp; do cluster_gap_stop $each; done
ok 'UDP of the lease went on' test "$(found udp silent_ms)" -lt 500
ok 'with a gap under 1 s' test "$(found udp gap_ms)" -lt 1000
ok 'and nothing lost but what was under way in it' test "$(($(found udp lost) * 5))" -le "$(($(found udp gap_ms) + 100))"
is "$(found tcp lost)" 0 'TCP lost not a byte'
ok 'nor waited for a second and a half' test "$(found tcp gap_ms)" -lt 1500
like "$(on dmz2 conntrack -L -m 0x18000000/0x18000000 2> /dev/null | grep "dport=$held_port ")" "src=$OUTER dst=$SQUASH" 'its flows left by the shared address'
api DELETE "/proxy/leases/$held"
is "$status" 204 'the lease is given back at the survivor'
is "$(elements dmz2 "$held")" 0 'and is gone'
done_testing
