#!/bin/bash
# Packets that somebody forges in the client's name, before its transfer and during it: whose flow
# the session takes, that the transfer goes on, and how many flows the forger may leave.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside outside2 inside1 inside2
on dmz "$LAB_PREFIX/bin/asperaproxy" start > /dev/null  # with its border
forge() {  # source-port text [more]
  on outside2 python3 "$LAB_LIB/forge.py" "$OUTSIDE_AT:$1" "$SQUASH_AT:33001" "${@:2}"
}
flood() {  # source-port text more: in the background, as $flood
  on_exec outside2 python3 "$LAB_LIB/forge.py" "$OUTSIDE_AT:$1" "$SQUASH_AT:33001" "${@:2}" &
  flood=$!
}
stop() { kill "$1"; wait "$1" 2> /dev/null; }
# The server answers what begins with its name, as a transfer server does.
serve() {  # host address
  : > "$TMPDIR/$1"
  on_exec "$1" python3 "$LAB_LIB/transfer.py" --serve "$1" "$2:33001" > "$TMPDIR/$1" &
  servers+=($!)
  wait_until 5 grep -q listening "$TMPDIR/$1"
}
arrived() { grep -q "^$2\$" "$TMPDIR/$1"; }
# talk SECONDS NAME [OPTION...]: a whole session of bear's that sends its name; its report.
talk() { on outside -u bear python3 "$LAB_LIB/transfer.py" "bear@$SQUASH" "inside1/$2" --talk "$1" "${@:3}"; }
field() { python3 -c 'import json, sys; print(json.loads(sys.argv[1])[sys.argv[2]])' "$@"; }
flows() { proxy_flows | grep -c "src=$OUTSIDE "; }
logged() { lab_log dmz | grep -q -- "$1"; }
configure() {
  proxy_allow cat
  on dmz sed -i "s|<host>|${1-}&|" "$LAB_PREFIX/etc/aspera.conf"
}

for family in 4 6; do
  lab_family $family
  servers=()
  serve inside1 "$INSIDE1_AT"
  configure

  # Before the client's first packet ---------------------------------------------
  proxy_session one outside bear "$SQUASH" cat
  forge 7000 forged
  ok "(a forged packet reaches the server)" wait_until 5 arrived inside1 forged
  forge 7001 more --ports 20
  ok "the client's own flow is answered all the same" \
    on outside python3 "$LAB_LIB/udp.py" send "$ANY_AT:5001" "$SQUASH_AT:33001" 'inside1/one {n}' --count 20 --wait-reply 1
  ok "the rule is narrowed to it" wait_until 5 proxy_pinned 5001 33001
  gone() { [ "$(flows)" = 1 ]; }
  ok "the forged flows go with the wider rule" wait_until 5 gone
  forge 7000 later
  forge 7030 later
  on outside python3 "$LAB_LIB/udp.py" send "$ANY_AT:5001" "$SQUASH_AT:33001" 'inside1/two' --wait-reply 2 > /dev/null
  is $? 0 "and it goes on"
  nok "a forged packet reaches the server no more" arrived inside1 later
  proxy_end one
  is "$(proxy_rules)$(proxy_flows)" 0 "nothing is left"

  # A flood, from before the session until after it --------------------------------
  quiet=$(talk 2 quiet)
  flood 10000 flood --ports 50000 --rate 5000
  report=$(talk 2 victim)
  is "$(field "$report" status)" 0 "under 5,000 forged packets a second a session opens and ends"
  diag "quiet: $quiet"
  diag "flood: $report"
  first=$(field "$report" first_ms)
  ok "its transfer begins" test "${first/None/99999}" -lt 2000
  ok "and is not held up" test "$(field "$report" gap_ms)" -lt 500
  proxy_session silent outside bear "$SQUASH" cat
  sleep 2  # for the flood to go on
  kill -STOP "$flood"
  few() { [ "$(flows)" -le 256 ]; }
  ok "a client that is silent meanwhile: the session keeps 256 unanswered flows at most" wait_until 5 few
  ok "(and the flood did come through)" test "$(flows)" -gt 100
  diag "unanswered: $(flows)"
  kill -CONT "$flood"
  on outside python3 "$LAB_LIB/udp.py" send "$ANY_AT:5002" "$SQUASH_AT:33001" 'inside1/late {n}' --count 100 --wait-reply 2 > /dev/null
  is $? 0 "and it is answered when it begins"
  ok "the rule is narrowed to its flow" wait_until 5 proxy_pinned 5002 33001
  ok "no forged flow is left, though the flood goes on" wait_until 5 gone
  proxy_end silent
  stop "$flood"
  is "$(proxy_rules)" 0 "nothing is left"

  # A program that is never answered -----------------------------------------------
  proxy_session mute outside bear "$SQUASH" cat
  on outside python3 "$LAB_LIB/udp.py" send "$ANY_AT:5003" "$SQUASH_AT:33001" 'mute {n}' > /dev/null
  on_exec outside python3 "$LAB_LIB/udp.py" send "$ANY_AT:5004" "$SQUASH_AT:33001" 'mute {n}' --count 1000 --interval 0.02 > /dev/null &
  sender=$!
  sleep 3
  nok "a flow without an answer is not taken at once" proxy_pinned 500. 33001
  ok "after 10 seconds the one that goes on is" wait_until 15 proxy_pinned 5004 33001
  stop "$sender"
  proxy_end mute
  is "$(proxy_rules)$(proxy_flows)" 0 "nothing is left"

  proxy_session unheard outside bear "$SQUASH" cat
  on outside python3 "$LAB_LIB/udp.py" send "$ANY_AT:5005" "$SQUASH_AT:33001" 'mute {n}' > /dev/null
  heard() { arrived inside1 mute; }
  ok "(UDP reaches the server)" wait_until 5 heard
  proxy_end unheard
  ok "the log says where UDP arrived without an answer" \
    wait_until 5 logged "LOG UDP from $(literally "$OUTSIDE_AT:5005 reached $INSIDE1_AT:33001"), which answered nothing"

  # Beside a session of the same client to another server -----------------------------
  serve inside2 "$INSIDE2_AT"
  key=$LAB_PREFIX/etc/ssh_keys/id_ed25519
  lab_config << END
<CONF version="2">
  <server><rproxy><enabled>true</enabled><rules>
    <rule host_ip="$SQUASH"><users>bear</users><host>$INSIDE1_AT:22</host><squash_user>xfer</squash_user><keyfile>$key</keyfile></rule>
    <rule host_ip="$SQUASH"><users>bobcat</users><host>$INSIDE2_AT:22</host><squash_user>xfer</squash_user><keyfile>$key</keyfile></rule>
  </rules></rproxy></server>
  <default><aspshell_commands><command>cat</command></aspshell_commands></default>
</CONF>
END
  proxy_session bobcats outside bobcat "$SQUASH" cat
  flood 10000 flood --ports 50000 --rate 5000
  on_exec outside -u bear python3 "$LAB_LIB/transfer.py" "bear@$SQUASH" inside1/beside --talk 4 > "$TMPDIR/beside" &
  talker=$!
  ok "a session beside another user's to another server, under the flood: its data arrives" wait_until 15 arrived inside1 inside1/beside
  wait "$talker"
  diag "$(cat "$TMPDIR/beside")"
  is "$(field "$(cat "$TMPDIR/beside")" status)" 0 "it ends well"
  stop "$flood"
  proxy_end bobcats
  is "$(proxy_rules)$(proxy_flows)" 0 "nothing is left"
  stop "${servers[0]}"
  stop "${servers[1]}"
done
done_testing
