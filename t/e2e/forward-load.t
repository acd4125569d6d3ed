#!/bin/bash
# The node API under load: many leases at once, no port left, and people who mean
# no good.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/forward.sh"

lab_up dmz inner inner2 outer
node() { on "$1" timeout 100 python3 "$LAB_LIB/node.py" -u alice:alice-secret "$api_base" "${@:2}"; }
descriptors() { ls "/proc/$forward_pid/fd" | wc -l; }
few_descriptors() { [ "$(descriptors)" -le $((before + 8)) ]; }
value() { python3 -c 'import json, sys; print(json.loads(sys.argv[1]).get(sys.argv[2]))' "$report" "$1"; }

forward_config '<session_timeout>300</session_timeout>'
forward_user alice
ok '(the node service starts)' forward_start
before=$(descriptors)
api GET /ping

# Many ---------------------------------------------------------------------------------------

report=$(node inner load 50 1000 "$OUTER")
is "$(value unexpected)" '[]' '50 clients at a time: every answer is as it should be'
is "$(value opened) $(value renewed) $(value shown) $(value closed)" '1000 1000 1000 1000' \
  '1,000 leases are opened, renewed, shown and closed'
is "$(value ports)" 1000 'each has had a port of its own'
is "$(forward_left)" '0 0 0' 'and nothing of them is left'
ok 'no descriptor is, either' wait_until 10 few_descriptors

# No port left -----------------------------------------------------------------------------------

forward_stop
forward_config '<session_timeout>300</session_timeout><port_range_low>5000</port_range_low><port_range_high>5004</port_range_high>'
forward_start
for port in 1 2 3 4 5; do lease; done
api POST /proxy/leases "{\"destination\": \"$OUTER\"}"
is "$status $(field code)" '503 ports_exhausted' 'with all ports leased there is none for the next'
is "$(forward_elements) $(forward_records | wc -l)" '10 5' 'which leaves the others as they are'
api GET "/proxy/leases/$lease"
is "$status" 200 'they are served'
api DELETE "/proxy/leases/$lease"
closed=$ssh_port
lease
is "$status $ssh_port" "201 $closed" 'when one is closed, its port goes to the next'
api GET /proxy/leases
for id in $(forward_records); do api DELETE "/proxy/leases/$id"; done
is "$(forward_left)" '0 0 0' '(all closed)'

# People who mean no good ------------------------------------------------------------------------

forward_stop
forward_config '<session_timeout>300</session_timeout>'
forward_start
before=$(descriptors)
: > "$TMPDIR/siege"
on_exec inner2 python3 "$LAB_LIB/node.py" "$api_base" siege > "$TMPDIR/siege" 2>&1 < /dev/null &
siege=$!
ok '(a hundred slow, huge, half-closed, silent and senseless requests, and more all the time)' \
  wait_until 20 grep -q 'under siege' "$TMPDIR/siege"
report=$(node inner polite 20 "$OUTER")
is "$(value served) $(value unexpected)" '20 []' 'somebody else is served all the while'
ok 'in reasonable time' test "$(value longest_ms)" -lt 5000
diag "longest: $(value longest_ms) ms"
kill "$siege"
wait "$siege" 2> /dev/null
ok 'when they are gone, so are their connections' wait_until 40 few_descriptors
is "$(forward_left)" '0 0 0' 'and nothing is left'
ok 'the service has not fallen over' kill -0 "$forward_pid"
forward_stop
done_testing
