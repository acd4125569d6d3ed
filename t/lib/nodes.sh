# nodes.sh: two nodes of a cluster and a Redis, for contract tests. Sourced after
# spool.sh. The second node has a /run/sallyport, a name and a time since boot of its own.
#
#   node1 COMMAND..., node2 COMMAND..., nodes COMMAND...   on one of them; on both
#   with_cluster ELEMENTS    their aspera.conf ($conf), ELEMENTS within <cluster>
#   redis_up, redis_down     a Redis at $redis; $redis_pid
#   ask COMMAND...           of it
#   logged COUNT PATTERN     so many lines of the log of both have it

suite asp-redis
account sallyport-dial 64322
mkdir -p /run/sallyport $tmp/run2
conf=$prefix/etc/aspera.conf
echo node1 > /proc/sys/kernel/hostname
ip address add 192.0.2.11/32 dev lo
redis=192.0.2.11:6379

# A session gives up on Redis after 75 ms: what the nodes do must not wait for other tests.
urgent=
if [ "$(nice -n -15 nice 2> /dev/null)" = -15 ]; then urgent='nice -n -15'; fi

# shellcheck disable=SC2086  # a command
node1() { timeout 20 $urgent "$@"; }
since_boot=
if unshare -Tf --boottime 5000000 true 2> /dev/null; then since_boot='-Tf --boottime 5000000'; fi
node2() {
  # shellcheck disable=SC2086  # options
  timeout 20 $urgent unshare -mu $since_boot bash -c 'mount --bind '$tmp'/run2 /run/sallyport && echo node2 > /proc/sys/kernel/hostname && exec "$@"' node2 "$@"
}
nodes() { node1 "$@" && node2 "$@"; }

with_cluster() {
  cat > $conf << XML
<CONF><server>
<rproxy><enabled>true</enabled><rules>
<rule host_ip="198.51.100.39"><hosts><host>a:22</host><host>b:22</host><host>c:22</host></hosts><keyfile>/k</keyfile></rule>
<rule host_ip="198.51.100.40"><host>d:22</host><keyfile>/k</keyfile></rule>
</rules></rproxy>
<cluster><nodes><node name="node1">192.0.2.11</node><node name="node2">192.0.2.12</node></nodes>
<outside_interface>wan</outside_interface><outside_addresses>198.51.100.39/24</outside_addresses>
<inside_interface>lan</inside_interface><inside_addresses>203.0.113.5/24</inside_addresses>
<sync_interface>sync</sync_interface>$1</cluster>
</server></CONF>
XML
}

ask() { redis-cli -h 192.0.2.11 "$@"; }
redis_up() {
  # shellcheck disable=SC2086  # a command
  $urgent redis-server --bind 192.0.2.11 --protected-mode no --save '' --dir $tmp --logfile $tmp/redis.log > /dev/null &
  redis_pid=$!
  wait_until 10 ask PING > /dev/null 2>&1
}
redis_down() {
  kill -KILL $redis_pid
  wait $redis_pid
} 2> /dev/null
logged() { [ "$(grep -c "$2" $tmp/syslog)" = "$1" ]; }
