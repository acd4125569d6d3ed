#!/bin/bash
# The chains of an older release, a tree of them, are taken away while its sessions live: their rules are
# moved, and no packet is lost.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
LAB_FORWARDING=
. "$LAB_LIB/proxy.sh"

lab_up dmz outside outside2 inside1
on dmz "$LAB_PREFIX/bin/asperaproxy" start > /dev/null  # behind the border
reap() { on dmz "$LAB_PREFIX/bin/asp-reap"; }
talks() {  # host source-port text
  on "$1" python3 "$LAB_LIB/udp.py" send "$ANY_AT:$2" "$SQUASH_AT:33001" "$3" --wait-reply 3 > /dev/null
}
chains() { on dmz sh -c "$IPTABLES-save" 2> /dev/null | grep -c '^:SALLYPORT'; }
# What release 0.5 laid, with the rules that there are now, in one step and in the place of what there is.
lay_tree() {
  on dmz "$IPTABLES" -t nat -S | python3 -c '
import ipaddress, re, sys
six = sys.argv[1] == "6"
lines = sys.stdin.read().splitlines()
chains, rules = ["SALLYPORT", "SALLYPORT-SNAT"], []
def name(level, byte):
    return ("SALLYPORT-DNAT" if level == 0 else f"SALLYPORT-DNAT-{byte:02x}" if level == 4 else
            f"SALLYPORT-DNAT-bits-{byte & (1 << 2 * level) - 1:0{2 * level}b}")
for level in range(4):
    for low in range(1 << 2 * level):
        chains.append(name(level, low))
        for step in range(4):
            byte, mask = low | step << 2 * level, 3 << 2 * level
            source = "" if step == 3 else f"-s ::{byte & mask:x}/::{mask:x} " if six else f"-s 0.0.0.{byte & mask}/0.0.0.{mask} "
            rules.append(f"-A {name(level, low)} {source}-g {name(level + 1, byte)}")
chains += [name(4, byte) for byte in range(256)]
print("*nat", *(f":{chain} - [0:0]" for chain in chains), sep="\n")
print("-A SALLYPORT -j CONNMARK --set-xmark 0x8000000/0x8000000", "-A SALLYPORT -j SALLYPORT-DNAT",
      "-A SALLYPORT -j CONNMARK --set-xmark 0x0/0x8000000", "-A SALLYPORT-SNAT -j MASQUERADE", *rules, sep="\n")
for line in lines:
    found = re.match("-A SALLYPORT-SESSIONS (-s ([^/ ]+)/.*)", line)
    if found:
        print(f"-A {name(4, ipaddress.ip_address(found[2]).packed[-1])} {found[1]}")
print("-F SALLYPORT-SESSIONS", "-X SALLYPORT-SESSIONS", "COMMIT", sep="\n")' "$1" > "$(lab_root dmz)/tmp/tree" &&
    on dmz sh -c "$IPTABLES-restore --noflush < /tmp/tree"
}
tree_rules() { on dmz "$IPTABLES" -t nat -S | grep -c '^-A SALLYPORT-DNAT-.. '; }
logged() { lab_log dmz | grep -c "$1"; }
proxy_ready() { [ "$(proxy_open_sessions)" = "$(($(proxy_rules) + $(tree_rules)))" ]; }
# Sends until its stdin is closed, then says how many.
sender='
import select, socket, sys
six = ":" in sys.argv[2]
udp = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("", int(sys.argv[1])))
udp.connect((sys.argv[2], 33001))
sent = 0
while not select.select([sys.stdin], [], [], 0.002)[0]:
    sent += 1
    udp.send(f"stream-{6 if six else 4}-{sent}".encode())
print(sent)'
proxy_allow cat

for family in 4 6; do
  lab_family $family
  lab_udp inside1 echo "$INSIDE1_AT:33001" "$TMPDIR/received"

  # One narrowed, one still open, while packets of the first come without a break.
  proxy_session running outside bear "$SQUASH" cat
  ok '(a session carries packets)' talks outside 5001 first
  ok '(and is narrowed)' wait_until 5 proxy_pinned 5001 33001
  proxy_session waiting outside2 bear "$SQUASH" cat
  before=$(logged 'took away the chains of an older release')
  coproc stream { on outside python3 -c "$sender" 5001 "$SQUASH"; }
  stream_out=${stream[0]} stream_pid=$stream_PID
  for way in "$LAB_PREFIX/bin/asp-reap" "$LAB_PREFIX/bin/asperaproxy start"; do
    ok "(the tree of an older release)" lay_tree $family
    is "$(chains) $(tree_rules)" '343 2' '(with the rules of both)'
    # shellcheck disable=SC2086
    on dmz $way > /dev/null
    is "$(chains) $(proxy_rules)" '3 2' "${way##*/} takes it away, and has moved the rules"
  done
  is "$(($(logged 'took away the chains of an older release') - before))" 1 'asp-reap says so'
  eval "exec ${stream[1]}>&-"
  read -r sent <&"$stream_out"
  wait "$stream_pid"
  ok "(packets came all the while: $sent)" [ "$sent" -gt 100 ]
  ok 'the last of them is there' wait_until 5 grep -q " stream-$family-$sent\$" "$TMPDIR/received"
  is "$(grep -c " stream-$family-[0-9]*\$" "$TMPDIR/received")" "$sent" 'and none was lost'
  ok 'a session that had no flow gets it' talks outside2 5002 second
  ok 'and is narrowed' wait_until 5 proxy_pinned 5002 33001

  # The helper of a session that began before the upgrade lays what it knows.
  ok '(the tree once more)' lay_tree $family
  proxy_end waiting
  is "$proxy_status $(tree_rules)" '0 1' 'a session that ends takes its rule out of that, too'
  ok 'whose UDP crosses no more' eval '! talks outside2 5002 over'
  proxy_session next outside2 bear "$SQUASH" cat
  is "$(chains) $(proxy_rules)" '3 2' 'and one that opens lays today'"'"'s chains'
  ok 'its UDP crosses' talks outside2 5003 third
  proxy_end next
  proxy_end running

  # Nobody lives.
  ok '(the tree, idle)' lay_tree $family
  reap
  is "$(chains) $(proxy_rules) $(proxy_flows | wc -l)" '3 0 0' 'asp-reap takes it away where no session lives, too'
  ok '(the tree, to be purged)' lay_tree $family
  on dmz "$LAB_PREFIX/bin/asperaproxy" stop > /dev/null
  is "$(chains)" 0 'and asperaproxy stop'
  on dmz "$LAB_PREFIX/bin/asperaproxy" start > /dev/null
  kill "$LAB_UDP"
  wait "$LAB_UDP"
done
done_testing
