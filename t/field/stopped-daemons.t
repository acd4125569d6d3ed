#!/bin/bash
# A daemon of the proxy is stopped (SIGSTOP): the node service, asp-lease, Redis; or asp-redis, which asks Redis,
# hangs. Sessions, and leases that are held, go on; whatever needs it is told in time. How long at most is in
# ARCHITECTURE.md, "How long anything waits".
. "${0%/*}/../lib/hung.sh" inner outer
. "$LAB_LIB/forward.sh"
dmz=$(lab_root dmz)
forward_config
forward_user alice
with_server=$(sed -n 's|.*\(<http_port>.*</proxy>\)</server>.*|\1|p' "$dmz$LAB_PREFIX/etc/aspera.conf")
on_exec dmz redis-server --bind $DMZ_LAN --port 6379 --save '' --dir /tmp > "$TMPDIR/redis" 2>&1 < /dev/null &
redis=$!
ok '(Redis listens)' wait_until 10 lab_listens dmz 6379
hung_configure
on dmz sed -i "s|</server>|<cluster><enabled>true</enabled><nodes><node name=\"dmz\">$DMZ_LAN</node><node name=\"dmz2\">$DMZ2_LAN</node></nodes><sync_interface>lan</sync_interface><redis>$DMZ_LAN:6379</redis></cluster>$with_server&|" "$LAB_PREFIX/etc/aspera.conf"
ok '(the node service)' forward_start
forward_receiver
ok '(a lease is in use)' forward_lease_stream held
lab_udp inside1 echo "$INSIDE1:33001" "$TMPDIR/received1"
lab_udp inside2 echo "$INSIDE2:33001" "$TMPDIR/received2"
proxy_session old outside2 bobcat "$INDIVIDUAL" cat
ok "(somebody else's transfer runs)" goes_on begin
old_processes=$(lab_pids dmz '*')

tap_about='asperanoded is stopped: '
kill -STOP "$forward_pid"
others_hardly_notice 8 "$SQUASH"
ok 'the lease goes on' is_flowing held
kill -CONT "$forward_pid"
ok 'it goes on: leases are to be had' lease

tap_about='asp-lease is stopped: '
stopped=$(forward_lessors)
kill -STOP "$stopped"
others_hardly_notice 8 "$SQUASH"
ok 'the lease goes on' is_flowing held
began=${EPOCHREALTIME/./}
api POST /proxy/leases "{\"destination\": \"$OUTER\"}"
is "$status" 503 'who asks for one is told'
took=$(seconds_since "$began")
ok "in $took s, of 20" test "$took" -le 20
ok 'and then they are to be had again' wait_until 20 lease
kill -CONT "$stopped" 2> /dev/null

tap_about='Redis is stopped: '
kill -STOP "$redis"
others_hardly_notice 8 "$SQUASH" 12  # it asks Redis twice
ok 'the lease goes on' is_flowing held
kill -CONT "$redis"

# ask DESTINATION: for a lease; its status
ask() {
  api POST /proxy/leases "{\"destination\": \"$1\"}"
  echo "$status"
}
tap_about='asp-redis hangs: '
on dmz sh -c "mv $bin/asp-redis $bin/asp-redis.away; printf '#!/bin/sh\nexec sleep 1000\n' > $bin/asp-redis; chmod 755 $bin/asp-redis"
others_hardly_notice 8 "$SQUASH" 12
ok 'the lease goes on' is_flowing held
job asked ask "$OUTER"
over asked 0 20 'who asks for a lease has an answer'
like "$(cat "$TMPDIR/asked.out")" '^(201|503)$' 'which is one of the two'
on dmz mv $bin/asp-redis{.away,}
done_testing
