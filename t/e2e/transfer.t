#!/bin/bash
# Real files through the proxy: both directions, both kinds of rule, several at once.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside outside2 inside1
on dmz "$LAB_PREFIX/bin/asperaproxy" start > /dev/null  # behind the border

copy() {  # client user asp-cp-arguments...
  local client=$1 user=$2
  shift 2
  on "$client" -u "$user" asp-cp -P 33001 "$@"
}
sum() { on "$1" sha256sum "$2" | cut -d ' ' -f 1; }
owner() { on inside1 stat -c '%U %a' "$1"; }
no_flows() { [ -z "$(proxy_flows)" ]; }
no_rules() { [ "$(proxy_rules)" = 0 ]; }

on outside -u bear bash -c 'head -c 20M /dev/urandom > up; chmod 640 up; touch -d 2020-02-02T02:02:02Z up'
install -m 640 "$(lab_root outside)/home/bear/up" "$(lab_root outside)/home/bobcat/up"
on outside chown bobcat: /home/bobcat/up
sent=$(sum outside /home/bear/up)

for family in 4 6; do
  lab_family $family
  proxy_allow
  status 0 "a file goes up through the squash rule" copy outside bear /home/bear/up "bear@$SQUASH_AT:/tmp/squashed"
  is "$(sum inside1 /tmp/squashed)" "$sent" "and arrives whole"
  is "$(owner /tmp/squashed)" 'xfer 640' "owned by the squash user, with its mode"
  is "$(on inside1 stat -c %Y /tmp/squashed)" 1580608922 "and its modification time"

  status 0 "a file goes up through the individual rule" copy outside bobcat /home/bobcat/up "bobcat@$INDIVIDUAL_AT:/tmp/own"
  is "$(owner /tmp/own)" 'bobcat 640' "and is owned by the user"

  status 0 "a file comes down" copy outside bear "bear@$SQUASH_AT:/tmp/squashed" /home/bear/down
  is "$(sum outside /home/bear/down)" "$sent" "whole"
  is "$(on outside stat -c %U /home/bear/down)" bear "and belongs to who fetched it"

  status 77 "bear has no account inside, so the individual rule is not for him" \
    copy outside bear /home/bear/up "bear@$INDIVIDUAL_AT:/tmp/none"
  like "$err" 'not permit' "and he is told so, in one line without internals"
  unlike "$err" '203\.0\.113|2001:db8:2|inside1|keyfile' "that names nothing inside"

  # Five at once from two clients, whose SSH and UDP share the server's one port.
  for n in 1 2 3 4 5; do
    client=outside
    [ $((n % 2)) = 0 ] && client=outside2
    on inside1 rm -f "/tmp/f$n"
    on "$client" -u bear bash -c "head -c 8M /dev/urandom > f$n; sha256sum < f$n > sum$n"
    copy "$client" bear "/home/bear/f$n" "bear@$SQUASH_AT:/tmp/f$n" > "$TMPDIR/$n.out" 2>&1 &
    pids[n]=$!
  done
  for n in 1 2 3 4 5; do
    client=outside
    [ $((n % 2)) = 0 ] && client=outside2
    wait "${pids[n]}"
    is $? 0 "transfer $n of five at once succeeds" || diag "$(cat "$TMPDIR/$n.out")"
    is "$(on inside1 sha256sum < "$(lab_root inside1)/tmp/f$n")" "$(cat "$(lab_root "$client")/home/bear/sum$n")" "and its file is whole"
  done

  ok "no rule is left of all this" wait_until 5 no_rules
  ok "and no flow" wait_until 5 no_flows
done
lab_family 4
proxy_allow

# Without a way for UDP.
on dmz iptables -I FORWARD -p udp -j DROP
status 69 "a firewall between that drops UDP is found out" copy outside bear /home/bear/up "bear@$SQUASH_AT:/tmp/lost"
like "$err" "no UDP path to $SQUASH:33001: check the firewall between" "and named as the cause"
nok "no file, half or whole, is there" on inside1 test -e /tmp/lost
on dmz iptables -D FORWARD -p udp -j DROP

ok "no rule is left of all this" wait_until 5 no_rules
ok "and no flow" wait_until 5 no_flows
ok "and no record" wait_until 5 eval '[ "$(proxy_open_sessions)" = 0 ]'
status 0 "asp-reap finds nothing to do" on dmz "$LAB_PREFIX/bin/asp-reap"
is "$out$err" "" "and says nothing"
done_testing
