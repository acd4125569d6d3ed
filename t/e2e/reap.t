#!/bin/bash
# asp-reap: what a killed holder leaves goes, what lives or is foreign stays.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside outside2 inside1
reap() { on dmz "$LAB_PREFIX/bin/asp-reap"; }
send() { on "$1" python3 "$LAB_LIB/udp.py" send "$ANY_AT:$2" "$SQUASH_AT:33001" "$3" > /dev/null; }
arrived() { grep -q " $1\$" "$TMPDIR/received"; }
no_session() { [ -z "$(lab_pids dmz ascp_rproxy)" ]; }
foreign() { on dmz "$IPTABLES-save" | grep -e 'somebody else' -e "$NATCLIENT"; }
iptables_text() { on dmz "$IPTABLES-save" | grep -v '^#' | sed 's/\[[0-9]*:[0-9]*\]//'; }
damage() {
  on dmz bash -c "$1"
  on dmz conntrack -f "$IP" -D -p udp -s "$OUTSIDE2" > /dev/null 2>&1
  send outside2 5002 "lost-$2"
  send outside2 5002 "lost-$2"
}

for family in 4 6; do
  lab_family $family
  proxy_allow cat
  lab_udp inside1 echo "$INSIDE1_AT:33001" "$TMPDIR/received"
  on dmz "$IPTABLES" -t nat -A PREROUTING -p udp --dport 7 -m comment --comment "somebody else" -j DNAT --to-destination "$INSIDE2"
  on dmz "$IPTABLES" -A FORWARD -s "$NATCLIENT" -j DROP
  theirs=$(foreign)

  proxy_session dead outside bear "$SQUASH" cat
  proxy_session living outside2 bear "$SQUASH" cat
  send outside 5001 one
  send outside2 5002 two
  ok "(two sessions carry packets)" wait_until 5 arrived two
  status 0 "with both alive there is nothing to do" reap
  is "$(proxy_rules) $out$err" "2 " "and nothing is done or said"

  doomed=$(on dmz grep -lF "client=$OUTSIDE_AT:" -r /run/sallyport/sessions)
  holder=$(for pid in $(lab_pids dmz asp-pinhole); do
    readlink "/proc/$pid/fd"/* 2> /dev/null | grep -q "^$doomed" && echo "$pid"
  done)
  kill -KILL "$holder"
  wait "${proxy_pid[dead]}"  # its stdin is open: it does not end by itself
  is $? 71 "a session whose holder was killed is ended"
  proxy_end dead
  is "$(proxy_rules_of "$OUTSIDE")" 1 "(its rule is still there: nobody was left to remove it)"
  status 0 "asp-reap runs" reap
  is "$out$err" "" "says nothing to cron"
  is "$(proxy_rules_of "$OUTSIDE")" 0 "removes the rule of the dead session"
  is "$(proxy_flows | grep -c "src=$OUTSIDE ")" 0 "and its flow"
  nok "and its record" on dmz test -e "$doomed"
  send outside 5001 ghost
  send outside2 5002 alive
  ok "the living session's flow goes on" wait_until 5 arrived alive
  nok "the dead one's does not" arrived ghost
  is "$(proxy_rules_of "$OUTSIDE2")" 1 "the living session's rule is untouched"
  is "$(foreign)" "$theirs" "foreign rules are untouched"
  like "$(lab_log dmz | grep asp-reap)" "Reaped session=${doomed##*/}" "syslog says what was done"

  if [ "${LAB_FORWARDING-}" = nftables ]; then
    on dmz nft add element inet sallyport "open$LAB_DIGIT" "{ $ROUTER_HOME . $SQUASH . 9 comment \"stray\" : $INSIDE1 . 9 }"
  else
    on dmz "$IPTABLES" -t nat -A SALLYPORT-SESSIONS -s "$ROUTER_HOME" -p udp --dport 9 -m comment --comment stray -j DNAT --to-destination "$INSIDE1_AT:9"
  fi
  reap
  is "$(proxy_rules)" 1 "a rule in our chain that no session accounts for is removed"

  # A firewall that somebody flushed or loaded anew --------------------------------
  # The living session is pinned to port 5002; each time its rule and the way for
  # its packets have to come back, and only they.
  printf '*nat\n:PREROUTING ACCEPT\n-A PREROUTING -p udp --dport 7 -m comment --comment "somebody else" -j DNAT --to-destination %s\nCOMMIT\n*filter\n:FORWARD ACCEPT\n-A FORWARD -s %s -j DROP\nCOMMIT\n' "$INSIDE2" "$NATCLIENT/$HOST_BITS" \
    > "$(lab_root dmz)/tmp/foreign.rules"
  number=0
  whole=$(proxy_base)
  ways=('iptables -t nat -F' 'iptables -F' 'iptables -t nat -F; iptables -F; iptables -t nat -X; iptables -X' \
    'iptables-restore < /tmp/foreign.rules' 'iptables -t nat -F SALLYPORT' 'iptables -t nat -F SALLYPORT-SNAT' \
    'iptables -t nat -F SALLYPORT-SESSIONS' 'iptables -t nat -D PREROUTING -p udp -m comment --comment sallyport -j SALLYPORT')
  [ $family = 4 ] || ways=('iptables -t nat -F; iptables -F; iptables -t nat -X; iptables -X' 'iptables-restore < /tmp/foreign.rules' \
    'iptables -t nat -F SALLYPORT-SESSIONS')
  if [ "${LAB_FORWARDING-}" = nftables ]; then
    ways=('nft delete table inet sallyport' 'nft flush table inet sallyport' 'iptables -F; iptables -X' "nft flush map inet sallyport pinned$LAB_DIGIT" \
      "nft flush set inet sallyport near_pinned$LAB_DIGIT")
    [ $family = 6 ] || ways+=('nft flush chain inet sallyport to_pinned' 'nft flush chain inet sallyport to_masquerade' 'iptables-restore < /tmp/foreign.rules')
  fi
  for way in "${ways[@]//iptables/$IPTABLES}"; do
    number=$((number + 1))
    damage "$way" "$number"
    reap
    is "$(proxy_base)" "$whole" "after '$way' asp-reap puts back what is ours"
    send outside2 5002 "back-$number"
    ok "and a packet of the living session arrives again" wait_until 3 arrived "back-$number"
  done
  like "$(lab_log dmz | grep asp-reap)" 'Put back the rules' "syslog says so"
  before=$(iptables_text)
  for n in 1 2 3 4 5 6; do reap & done > "$TMPDIR/reaps" 2>&1
  wait $(jobs -p | grep -v "$LAB_UDP" | grep -v "${proxy_pid[living]}")
  is "$(cat "$TMPDIR/reaps")$(iptables_text)" "$before" "six at once change nothing and say nothing"
  proxy_forget_rules
  proxy_session after outside bear "$SQUASH" cat
  send outside 5009 fresh
  ok "a session that opens on a flushed firewall puts the base back by itself" wait_until 3 arrived fresh
  send outside2 5002 again
  ok "and the other sessions' rules" wait_until 3 arrived again
  for n in 1 2 3; do reap & done
  proxy_end after
  is "$proxy_status" 0 "closing while asp-reap runs is clean"

  proxy_end living
  ok "(the last session is over)" wait_until 5 no_session
  is "$(proxy_rules)$(proxy_flows)" 0 "and left nothing"
  is "$(on dmz ls -A /run/sallyport/sessions /run/sallyport/callers /run/sallyport/turns | grep -vc -e : -e '^$')" 0 "no token or record is left either"
  kill "$LAB_UDP"
  wait "$LAB_UDP"
done
done_testing
