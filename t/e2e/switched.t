#!/bin/bash
# The alternative `iptables` is switched between nft and legacy while sessions live: the rules go where
# iptables is now, and nothing stays where it was.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside inside1
use() {  # nft|legacy
  on dmz sh -c "for p in iptables ip6tables; do update-alternatives --set \$p /usr/sbin/\$p-$1; done" > /dev/null 2>&1
}
rules() {  # nft|legacy: all that is ours there
  on dmz sh -c "for p in iptables ip6tables; do for t in nat filter; do /usr/sbin/\$p-$1 -t \$t -S; done; done" 2> /dev/null | grep -ci sallyport
}
nothing_in() { [ "$(rules "$1")" = 0 ]; }
talks() {  # source-port text
  on outside python3 "$LAB_LIB/udp.py" send "$ANY_AT:$1" "$SQUASH_AT:33001" "$2" --wait-reply 2 > /dev/null
}
logged() { lab_log dmz | grep -q "$1"; }
reap() { on dmz "$LAB_PREFIX/bin/asp-reap"; }
proxy_allow cat

# A host whose rules are in nft, and of somebody's old tables one: nobody else has the kernel make more.
use nft
on dmz sh -c '/usr/sbin/iptables-legacy -t filter -S; /usr/sbin/ip6tables-legacy -t filter -S' > /dev/null
is "$(on dmz cat /proc/net/ip_tables_names /proc/net/ip6_tables_names | tr '\n' ' ')" 'filter filter ' "(there are no other old tables)"
proxy_session beside outside bear "$SQUASH" cat
proxy_end beside
reap
on dmz "$LAB_PREFIX/bin/asperaproxy" stop > /dev/null
on dmz "$LAB_PREFIX/bin/asperaproxy" start > /dev/null
is "$(on dmz cat /proc/net/ip_tables_names /proc/net/ip6_tables_names | tr '\n' ' ')" 'filter filter ' "old tables of somebody's get no company"

for family in 4 6; do
  lab_family $family
  lab_udp inside1 echo "$INSIDE1_AT:33001" "$TMPDIR/received"
  for way in 'nft legacy' 'legacy nft'; do
    read -r from to <<< "$way"
    use "$from"
    proxy_session one outside bear "$SQUASH" cat
    ok "from $from to $to: (a session's UDP crosses)" talks 5001 one
    ok "(its rule is narrowed)" wait_until 5 proxy_pinned 5001 33001
    nok "(in $from)" nothing_in "$from"

    use "$to"
    proxy_end one
    is "$proxy_status" 0 "the session ends as always"
    ok "and nothing of it is where iptables was" nothing_in "$from"

    use "$from"
    proxy_session two outside bear "$SQUASH" cat
    ok "(another one crosses)" talks 5002 two
    use "$to"
    reap
    ok "asp-reap leaves nothing there" nothing_in "$from"
    is "$(proxy_rules)" 1 "the living session's rule is where iptables is now"
    ok "the log says so" logged "Removed the rules from iptables-$from"
    ok "its UDP crosses" talks 5002 three
    proxy_end two
    is "$proxy_status$(proxy_rules)" 00 "it ends as always"

    use "$from"
    proxy_session three outside bear "$SQUASH" cat
    use "$to"
    on dmz "$LAB_PREFIX/bin/asperaproxy" stop > /dev/null
    ok "asperaproxy stop leaves nothing in either" eval "nothing_in $from && nothing_in $to"
    proxy_end three
    on dmz "$LAB_PREFIX/bin/asperaproxy" start > /dev/null
    talks 5003 gone
    nok "and UDP crosses no more" grep -q ' gone$' "$TMPDIR/received"
  done
  kill "$LAB_UDP"
  wait "$LAB_UDP"
done
done_testing
