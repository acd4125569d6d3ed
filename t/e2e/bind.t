#!/bin/bash
# bind_source_address: SSH and UDP of such a session come to the internal server
# from that address, those of the others from the usual one.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside inside1
# A second address inside, that nothing would choose by itself.
BIND_4=203.0.113.2 BIND_6=2001:db8:2::2
on dmz ip addr add "$BIND_4/24" dev lan
on dmz ip addr add "$BIND_6/64" dev lan nodad preferred_lft 0
key=$LAB_PREFIX/etc/ssh_keys/id_ed25519
reap() { on dmz "$LAB_PREFIX/bin/asp-reap"; }
send() { on outside python3 "$LAB_LIB/udp.py" send "$ANY_AT:$1" "${3-$SQUASH_AT}:33001" "$2" > /dev/null; }
arrived() { grep -q " $1\$" "$TMPDIR/received"; }
came_from() { sed -n "s/^from=\(.*\):[0-9]* $1\$/\1/p" "$TMPDIR/received"; }
bound() { proxy_rules bound; }
pinned() { proxy_pinned "$1" '[0-9]+' bound; }
left() { echo "$(proxy_rules)$(bound)$(proxy_flows)$(proxy_open_sessions)"; }
holder_of() {  # user
  on dmz sed -n 's/^holder=//p' "$(on dmz grep -l "^user=$1\$" -r /run/sallyport/sessions)"
}

# bear's sessions at SQUASH have it, all others have not; all are from one client.
configure() {  # more elements, or another address
  lab_config << END
<CONF version="2">
  <server><rproxy><enabled>true</enabled><rules>
    <rule host_ip="$SQUASH"><users>bear</users><host>$INSIDE1_AT:22</host><squash_user>xfer</squash_user><keyfile>$key</keyfile><bind_source_address>${2-$BIND}</bind_source_address>${1-}</rule>
    <rule><host>$INSIDE1_AT:22</host><squash_user>xfer</squash_user><keyfile>$key</keyfile>${1-}</rule>
  </rules></rproxy></server>
  <default><aspshell_commands><command>bash -c %s</command><command>cat</command></aspshell_commands></default>
</CONF>
END
}
tell='bash -c '\''echo "$SSH_CONNECTION"; cat'\'
ssh_from() { cut -d ' ' -f 1 "$TMPDIR/$1.out"; }
told() { [ -s "$TMPDIR/$1.out" ]; }

for family in 4 6; do
  lab_family $family
  bind=BIND_$family BIND=${!bind}
  BIND_AT=$BIND
  [ $family = 4 ] || BIND_AT=[$BIND]
  configure
  lab_udp inside1 echo "$INSIDE1_AT:33001" "$TMPDIR/received"

  # Both of one client at once, open ones and pinned ones -------------------------------
  proxy_session bears outside bear "$SQUASH" "$tell"
  is "$(bound)" 1 'a session with a source address has a second rule'
  send 5001 "bear-$family"
  ok 'which is narrowed with the first' wait_until 5 pinned 5001
  proxy_session bobcats outside bobcat "$SQUASH" "$tell"
  is "$(bound)" 1 'and one without has none'
  send 5002 "bobcat-$family"
  ok '(both have UDP)' wait_until 5 arrived "bobcat-$family"
  wait_until 5 told bears && wait_until 5 told bobcats
  is "$(ssh_from bears) $(came_from "bear-$family")" "$BIND $BIND_AT" 'its SSH and UDP come from there'
  is "$(ssh_from bobcats) $(came_from "bobcat-$family")" "$DMZ_LAN $DMZ_LAN_AT" 'those of the other from the usual address'

  proxy_session open outside bear "$SQUASH" cat
  proxy_session aside outside bear "$INDIVIDUAL" cat
  send 5006 "aside-$family" "$INDIVIDUAL_AT"
  ok '(UDP of one at another proxy address arrives)' wait_until 5 arrived "aside-$family"
  is "$(came_from "aside-$family")" "$DMZ_LAN_AT" 'from the usual address, though an open rule is for the same client and server'
  proxy_end open
  proxy_end aside

  said=$(lab_log dmz | grep -c asp-reap)
  reap
  is "$(lab_log dmz | grep -c asp-reap)" "$said" 'asp-reap finds nothing to do'

  # A firewall that was flushed -------------------------------------------------------------
  # Laid anew, so that nothing of sessions that are over is in it.
  proxy_forget_rules
  reap
  before=$(proxy_base)
  ways=("$IPTABLES -t nat -F" "$IPTABLES -t nat -F SALLYPORT-SNAT" "$IPTABLES -t nat -F SALLYPORT-SESSIONS")
  [ "${LAB_FORWARDING-}" != nftables ] || ways=('nft flush ruleset' "nft flush map inet sallyport from_pinned$LAB_DIGIT" 'nft flush chain inet sallyport bound' "nft flush set inet sallyport near_bound$LAB_DIGIT")
  for way in "${ways[@]}"; do
    on dmz sh -c "$way"
    reap
    is "$(proxy_base)" "$before" "after '$way' asp-reap puts all of it back"
  done
  on dmz conntrack -f "$IP" -D -p udp --orig-src "$OUTSIDE" > /dev/null 2>&1
  send 5001 "again-$family"
  send 5002 "again2-$family"
  ok '(new flows arrive)' wait_until 5 arrived "again2-$family"
  is "$(came_from "again-$family") $(came_from "again2-$family")" "$BIND_AT $DMZ_LAN_AT" 'and each comes from its address again'
  if [ "${LAB_FORWARDING-}" = nftables ]; then
    on dmz nft add element inet sallyport "from_open$LAB_DIGIT" "{ $OUTSIDE2 . $INSIDE1 . $SQUASH . 33001 comment \"stray\" : $BIND }"
  else
    on dmz "$IPTABLES" -t nat -I SALLYPORT-SNAT -s "$OUTSIDE2" -p udp -m comment --comment stray -j SNAT --to-source "$BIND"
  fi
  reap
  is "$(bound)" 1 'a rule there that no session accounts for is removed'

  # Death ------------------------------------------------------------------------------------
  kill -KILL "$(holder_of bear)"
  wait "${proxy_pid[bears]}"
  is "$(bound)" 1 '(a holder that was killed leaves its rules)'
  reap
  is "$(bound) $(proxy_rules)" '0 1' 'until asp-reap comes'
  proxy_end bears
  proxy_end bobcats
  is "$(left)" 000 'then nothing is left'

  # Ports kept, filtering off ----------------------------------------------------------------
  configure '<proxy_port>0</proxy_port><udp_port_range>33001:33009</udp_port_range>'
  proxy_session kept outside bear "$SQUASH" cat
  send 5003 "kept-$family"
  ok 'with ports kept the rule is narrowed, too' wait_until 5 pinned 5003
  is "$(came_from "kept-$family")" "$BIND_AT" 'and the UDP comes from there'
  proxy_end kept
  configure '<src_port_filtering>false</src_port_filtering>'
  proxy_session loose outside bear "$SQUASH" cat
  send 5004 "loose-$family"
  send 5005 "loose2-$family"
  ok '(without filtering a second flow arrives)' wait_until 5 arrived "loose2-$family"
  is "$(came_from "loose-$family") $(came_from "loose2-$family")" "$BIND_AT $BIND_AT" 'from there, like the first'
  proxy_end loose
  is "$(left)" 000 'nothing is left'

  # An address that is not ours ----------------------------------------------------------------
  configure '' "${INSIDE1%10}99"
  status 71 'an address that the proxy does not have is refused' on outside -u bear ssh -p 33001 "bear@$SQUASH" cat < /dev/null
  unlike "$err" '203\.0\.113|2001:db8:2' 'and the client is told no internals'
  like "$(lab_log dmz | grep ' ERR ' | tail -1)" "connect from ${INSIDE1%10}99 \(bind_source_address\), which is not an address of this host" \
    'but the administrator is told which'
  kill "$LAB_UDP"
  wait "$LAB_UDP"
done
done_testing
