#!/bin/bash
# Where leases of the forward proxy may lead. Asked of the real API; no setting
# opens the proxy itself, its own network stack, or what only looks like elsewhere.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/forward.sh"

lab_up dmz inner outer
restart() {  # XML
  forward_stop
  forward_config "<session_timeout>60</session_timeout>$1"
  forward_start
}
try() { on inner timeout 60 python3 "$LAB_LIB/node.py" -u alice:alice-secret "http://$DMZ_LAN_AT:9091" try; }
# asks DESTINATION [JSON]: "STATUS CODE"; a lease is closed again.
asks() {
  lease "$@" > /dev/null
  echo "$status $(field code)$(field address)"
  [ "$status" != 201 ] || api DELETE "/proxy/leases/$lease"
}
asked() { grep -c "^$1 A " "$TMPDIR/names.log"; }

cat > "$TMPDIR/names" << END
loop.example.net     127.0.0.1,::1
mapped.example.net   ::ffff:127.0.0.1
mixed.example.net    127.0.0.1,$OUTER
good.example.net     $OUTER,$OUTER_6
turns.example.net    $OUTER 127.0.0.1
turns2.example.net   $OUTER $DMZ
turns3.example.net   127.0.0.1 $OUTER
turns4.example.net   $DMZ $OUTER
turns5.example.net   $OUTER 127.0.0.1
turns6.example.net   $OUTER $DMZ
proxy.example.net    $DMZ,$DMZ_6
example.net          $OUTER
silent.example.net   nothing
END
lab_dns "$TMPDIR/names"
on dmz ip addr add 192.0.2.77/32 dev lo
forward_config '<session_timeout>60</session_timeout>'
forward_user alice
ok '(the node service starts)' forward_start

# Spellings ---------------------------------------------------------------------------------

# Of places that are never to be reached.
cat > "$TMPDIR/forbidden" << END
127.0.0.1
127.0.0.2
127.255.255.254
0.0.0.0
0.1.2.3
169.254.1.1
169.254.169.254
224.0.0.1
239.255.255.250
240.0.0.1
255.255.255.255
198.51.100.255
203.0.113.255
198.51.100.0
$DMZ
$SQUASH
$INDIVIDUAL
$DMZ_LAN
192.0.2.77
localhost
LOCALHOST
localhost.
dmz.example.com
dmz-lan
loop.example.net
LOOP.Example.NET.
proxy.example.net
127.1
127.0.1
0
2130706433
017700000001
0x7f000001
0x7f.0.0.1
0177.0.0.1
127.000.000.001
127.0.0.1.
 127.0.0.1
127.0.0.1%lo
127.0.0.1:22
127.0.0.1/32
127.0.0.1,$OUTER
$OUTER 127.0.0.1
::
::1
[::1]
0:0:0:0:0:0:0:1
0000:0000:0000:0000:0000:0000:0000:0001
::1%lo
::ffff:127.0.0.1
::ffff:7f00:1
0:0:0:0:0:ffff:7f00:0001
::ffff:0.0.0.0
::ffff:$DMZ
::ffff:169.254.169.254
::127.0.0.1
::$DMZ
::ffff:0:127.0.0.1
64:ff9b::127.0.0.1
64:ff9b::7f00:1
64:ff9b::$DMZ
64:ff9b:1::127.0.0.1
64:ff9b:1::a00:1
2002:7f00:1::
2002:7f00:1::1
2002:c633:6401::1
2001:0:0:0:0:0:80ff:fffe
fe80::1
fe80::1%wan
febf::1
ff02::1
ff05::2
ff0e::1
$DMZ_6
$SQUASH_6
$DMZ_LAN_6
ip6-localhost
mapped.example.net
END
all=$(wc -l < "$TMPDIR/forbidden")
# Those that are plain addresses, in their usual writing or not.
python3 - "$TMPDIR/forbidden" > "$TMPDIR/plain" << 'END'
import ipaddress, sys
for line in open(sys.argv[1]):
    try:
        ipaddress.ip_address(line[:-1])
        if "%" not in line:
            print(line, end="")
    except ValueError:
        pass
END
ok "($all spellings)" test "$all" -ge 40
# One that is not UTF-8, one that ends early, a name as long as none may be.
odd() {
  printf '%s\n' '{"destination": "127.0.0.1\u0000.example.net"}' '{"destination": "\n127.0.0.1"}' '{"destination": 2130706433}' \
    '{"destination": ["127.0.0.1"]}' '{"destination": null}' '{"destination": ""}' '{}' '[]' '{"destination": "127.0.0.1", "destination": "127.0.0.1"}' \
    "{\"destination\": \"$OUTER\", \"destination\": \"127.0.0.1\"}" "{\"destination\": \"127.0.0.1\", \"destination\": \"$OUTER\"}" \
    "{\"destination\": \"$OUTER\", \"address\": \"127.0.0.1\"}" "{\"destination\": \"$(printf 'a%.0s' {1..300})\"}" '{"destination": "127。0。0。1"}' \
    '{"destination": "１２７.0.0.1"}' '{"destination": "-oProxyCommand=x"}' '{"destination": "$(id).example.net"}'
}
for settings in '' '<allowed_destinations>0.0.0.0/0 ::/0</allowed_destinations>' \
  "<allowed_destinations>127.0.0.0/8 ::1 $DMZ localhost proxy.example.net *.example.net 0.0.0.0/0 ::/0</allowed_destinations>"; do
  restart "$settings"
  tap_about="${settings:+with ${settings:22:22}…: }"
  is "$(asks "$OUTER")" "201 $OUTER" 'outer may be reached'
  # Each by IPv4 and by IPv6: a lease is of the family that it is asked for by.
  for family in 4 6; do
    (lab_family $family; try < "$TMPDIR/forbidden") > "$TMPDIR/tried$family"
    is "$(wc -l < "$TMPDIR/tried$family")" "$all" "(all were tried, IPv$family)"
  done
  cat "$TMPDIR/tried4" "$TMPDIR/tried6" > "$TMPDIR/tried"
  odd | try > "$TMPDIR/odd"
  is "$(grep '^201' "$TMPDIR/tried" | cut -d ' ' -f 3-)" '' 'no spelling of a forbidden place is'
  is "$(grep -vE '^(403 destination_denied|400 bad_request|422 unresolvable) ' "$TMPDIR/tried")" '' 'each is told why'
  is "$(odd | wc -l) $(grep -cE '^(400 bad_request|403 destination_denied|422 unresolvable)' "$TMPDIR/odd")" \
    "$(odd | wc -l) $(odd | wc -l)" 'nor is what is odd'
  # Not merely because of their form, or of the other family.
  is "$(sed -n 's/^403 destination_denied //p' "$TMPDIR/tried" | sort -u | grep -Fxf "$TMPDIR/plain" | wc -l)" \
    "$(wc -l < "$TMPDIR/plain")" 'plain addresses are denied as such'
  is "$(forward_left)" '0 0 0' 'and the kernel has nothing of it'
done
tap_about=
[ "$tap_failed" -eq 0 ] || diag "$(sort -u "$TMPDIR/tried" "$TMPDIR/odd")"

# Names whose answer changes ---------------------------------------------------------------

# Whoever would be reached says so: services on all places that are in play.
forward_receiver
on_exec dmz python3 "$LAB_LIB/stream.py" serve 0.0.0.0:7000 > "$TMPDIR/on-dmz" < /dev/null &
on_dmz=$!
ok '(something listens on dmz, too)' wait_until 10 grep -q listening "$TMPDIR/on-dmz"

restart ''
lease turns.example.net '"ssh_port": 7000, "udp_port": 7000'
is "$(field address)" "$OUTER" 'a name is pinned to the address that was judged'
forward_stream turned
ok 'which is where its packets go' is_flowing turned
on dmz getent ahostsv4 turns.example.net > /dev/null
is "$(on dmz getent ahostsv4 turns.example.net | cut -d ' ' -f 1 | sort -u)" 127.0.0.1 '(the name means the proxy itself by now)'
api PUT "/proxy/leases/$lease"
is "$(field address)" "$OUTER" 'renewing it changes nothing'
ok 'it goes on as it was' is_flowing turned
stream_end turned
api DELETE "/proxy/leases/$lease"
lease turns2.example.net '"ssh_port": 7000, "udp_port": 7000'
is "$(field address)" "$OUTER" 'the same where it turns to the proxy'"'"'s own address'
api DELETE "/proxy/leases/$lease"
is "$(asks turns3.example.net)" '403 destination_denied' 'a name that means loopback at first is denied'
is "$(asks turns4.example.net)" '403 destination_denied' 'or the proxy itself'
is "$(asks mixed.example.net)" "201 $OUTER" 'of several addresses a permitted one is taken'
like "$(asks silent.example.net)" '^422 unresolvable' 'a name that nobody answers for'
like "$(asks nowhere.example.net)" '^422 unresolvable' 'or that there is not'

restart '<allowed_destinations>*.example.net</allowed_destinations>'
is "$(asks good.example.net)" "201 $OUTER" 'what is allowed by name may be reached by that name'
is "$(asks GOOD.example.net.)" "201 $OUTER" 'however it is written'
is "$(asks "$OUTER")" '403 destination_denied' 'not by its address'
is "$(asks outer.example.com)" '403 destination_denied' 'nor by another name'
is "$(asks example.net)" '403 destination_denied' '*.example.net is what is below example.net'
before=$(asked turns5.example.net)
is "$(asks turns5.example.net)" '403 destination_denied' 'a permit by name holds only if the privileged part finds the same address'
ok '(it did ask again)' test "$(asked turns5.example.net)" -ge $((before + 2)) || diag "$(cat "$TMPDIR/names.log")"
is "$(asks turns6.example.net)" '403 destination_denied' 'likewise where it turns to the proxy itself'
is "$(wc -l < "$TMPDIR/on-dmz")" 1 'nothing has ever reached the proxy itself'

# Settings -----------------------------------------------------------------------------------

restart "<allowed_destinations>good.example.net 2001:db8:1::/64</allowed_destinations><denied_destinations>198.51.100.0/24:22</denied_destinations>"
is "$(asks good.example.net)" '403 destination_denied' 'what is denied by network is denied by name, too'
is "$(asks good.example.net '"ssh_port": 33001')" "201 $OUTER" 'but for the port it is denied for only'
lab_family 6
api_base=http://$DMZ_LAN_AT:9091
is "$(asks good.example.net)" "201 $OUTER_6" 'IPv6 is judged by itself'
lab_family 4
api_base=http://$DMZ_LAN_AT:9091
restart "<allowed_destinations>$OUTER:22 $OUTER:33001-33002</allowed_destinations>"
is "$(asks "$OUTER" '"ssh_port": 22, "udp_port": 33002')" "201 $OUTER" 'each port may be allowed by another entry'
is "$(asks "$OUTER" '"ssh_port": 22, "udp_port": "33001:33002"')" "201 $OUTER" 'a range, too'
is "$(asks "$OUTER" '"ssh_port": 23')" '403 destination_denied' 'an SSH port that none allows is denied'
is "$(asks "$OUTER" '"udp_port": 53')" '403 destination_denied' 'so is a UDP port'
is "$(asks "$OUTER" '"udp_port": "33001:33003"')" '403 destination_denied' 'and a range of which one is not allowed'
kill "$on_dmz"
forward_stop
done_testing
