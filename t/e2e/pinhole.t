#!/bin/bash
# The pinhole: who gets one, what passes through it, and that nothing is left.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside outside2 inside1 inside2
helper=$LAB_PREFIX/libexec/asp-pinhole
udp=$LAB_LIB/udp.py

# What crosses, and when ------------------------------------------------------

for family in 4 6; do
  lab_family $family
  proxy_allow 'cat' 'sleep %d'
  lab_udp inside1 echo "$INSIDE1_AT:33001" "$TMPDIR/received"
  send() {  # host source-port text [destination]
    on "$1" python3 "$udp" send "$ANY_AT:$2" "${4-$SQUASH_AT:33001}" "$3" > /dev/null
  }
  arrived() { grep -q " $1\$" "$TMPDIR/received"; }

  send outside 5001 before
  proxy_session one outside bear "$SQUASH" cat
  is "$(proxy_rules)" 1 "a living session has one rule"
  like "$(proxy_rule_lines)" "$(proxy_pattern "$OUTSIDE" "$SQUASH" 33001 "$INSIDE1" 33001)" \
    "which is for its client, its proxy address, its port and its server alone, and bears its UUID"
  send outside2 5001 foreign
  send outside 5001 elsewhere "$INDIVIDUAL_AT:33001"
  send outside 5001 during
  ok "a packet from the client reaches the server during the session" wait_until 5 arrived during
  nok "a packet sent before the session did not" arrived before
  nok "a packet of another client did not" arrived foreign
  nok "a packet to another address of the proxy did not" arrived elsewhere
  like "$(grep ' during$' "$TMPDIR/received")" "from=$(literally "$DMZ_LAN_AT"):" "the server sees the proxy's inner address"

  proxy_log_has() { lab_log dmz | grep -q -- "$1"; }
  ok "the flow is logged in the guide's words" wait_until 5 proxy_log_has "LOG Setup UDP forwarding between $(literally "$OUTSIDE_AT:5001 and $INSIDE1_AT:33001")"
  ok "the rule is narrowed to the flow's source port" \
    wait_until 5 proxy_pinned 5001 33001
  send outside 5002 otherport
  send outside 5001 sameport
  ok "the flow goes on after pinning" wait_until 5 arrived sameport
  nok "a packet from another port of the same client does not arrive any more" arrived otherport
  like "$(on dmz conntrack -f "$IP" -L -p udp 2> /dev/null)" "src=$OUTSIDE .*sport=5001 " "conntrack knows the flow"

  proxy_end one
  is "$proxy_status" 0 "the session ends with the remote command's status"
  is "$(proxy_rules)" 0 "its rule is gone"
  is "$(proxy_flows)" "" "its flow is gone from conntrack"
  is "$(on dmz ls /run/sallyport/sessions /run/sallyport/callers /run/sallyport/turns | grep -c -e - -e ,)" 0 "its record is gone"
  send outside 5001 after
  send outside 5001 after2
  sleep 0.3
  nok "a packet sent afterwards does not arrive" arrived after
  ok "the end is logged with bytes and packets" proxy_log_has "LOG Connection closed (EOF) .*bytes=[1-9][0-9]* packets=4"

  # Packets that come too early ------------------------------------------------------

  send outside 5010 early
  proxy_session early outside bear "$SQUASH" cat
  send outside 5010 intime
  ok "a client that sent before its rule was there gets through once it is" wait_until 5 arrived intime
  nok "(its early packet did not)" arrived early
  proxy_end early

  # each time from another port: no flow of before is in the way
  on_exec outside python3 -c '
import socket, sys, time
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
for n in range(5000):
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        one.sendto(b"steady", (sys.argv[1], 33001))
    time.sleep(0.001)' "$SQUASH" &
  sender=$!
  ok "a session opens though its client sends all the while" proxy_session steady outside bear "$SQUASH" cat
  ok "and what he sends gets through" wait_until 5 arrived steady
  proxy_end steady
  is "$proxy_status" 0 "until it ends well"
  kill "$sender" 2> /dev/null
  wait "$sender"

  # A flow that began and ended while the next session waited for its turn.
  proxy_session first outside bear "$SQUASH" cat
  (
    eval "exec ${proxy_stdin[first]}>&-"
    on_exec outside -u bear timeout 20 ssh -p 33001 "bear@$SQUASH" cat < <(sleep 15) > /dev/null 2>&1
  ) &
  second=$!
  callers() { [ "$(on dmz ls /run/sallyport/callers | wc -l)" = "$1" ]; }
  ok "(a second session waits for its turn)" wait_until 20 callers 2
  sleep 0.2  # until it looks at the kernel's flows
  waiting=$(lab_pids dmz asp-pinhole | tr ' ' '\n' | sort -n | tail -n 1)
  kill -STOP "$waiting"
  send outside 5030 firsts
  ok "(the first has its flow)" wait_until 20 proxy_pinned 5030 33001
  proxy_end first
  kill -CONT "$waiting"
  opened() { [ "$(proxy_rules)" = 1 ]; }
  ok "(and the second opens)" wait_until 20 opened
  sleep 0.2
  send outside 5031 seconds
  ok "a session is not pinned to a flow that ended before it opened" wait_until 20 arrived seconds
  kill "$second"
  wait "$second"
  ok "(it ends)" wait_until 20 callers 0

  # src_port_filtering off -------------------------------------------------------

  proxy_allow 'cat'
  on dmz sed -i 's|<host>|<src_port_filtering>false</src_port_filtering>&|' "$LAB_PREFIX/etc/aspera.conf"
  proxy_session open outside bear "$SQUASH" cat
  send outside 5003 first
  ok "without source port filtering the first flow arrives" wait_until 5 arrived first
  send outside 5004 second
  ok "and one from another port, too" wait_until 5 arrived second
  proxy_end open
  send outside 5004 late
  send outside 5003 late
  sleep 0.3
  nok "after the session neither of them does" arrived late
  is "$(proxy_flows)" "" "no translated flow is left"
  proxy_allow 'cat'

  # Flows of which the kernel tells nothing, and more than it can tell -------------

  events=$(on dmz sysctl -n net.netfilter.nf_conntrack_events)
  on dmz sysctl -qw net.netfilter.nf_conntrack_events=0
  proxy_session untold outside bear "$SQUASH" cat
  send outside 5020 untold
  ok "a flow of which the kernel does not tell gets through" wait_until 5 arrived untold
  proxy_end untold
  is "$(proxy_flows)" "" "and ends with its session"
  on dmz sysctl -qw net.netfilter.nf_conntrack_events="$events"

  for flows in 100 2000; do
    proxy_session many outside bear "$SQUASH" cat
    stopped=$(lab_pids dmz asp-pinhole)
    kill -STOP $stopped
    on outside python3 -c '
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
for port in range(20000, 20000 + int(sys.argv[2])):
    one = socket.socket(family, socket.SOCK_DGRAM)
    one.bind(("", port))
    one.sendto(b"many", (sys.argv[1], 33001))' "$SQUASH" $flows
    ok "an open rule takes $flows flows" test "$(proxy_flows | wc -l)" -ge $flows
    kill -CONT $stopped
    proxy_end many
    is "$(proxy_flows)" "" "none of them is left after its session"
  done
  kill "$LAB_UDP"
  wait "$LAB_UDP"
done

# A user who broke out of aspshell ----------------------------------------------
# mallory has a real shell on the proxy. `as` runs bash there, inside an SSH
# session of hers: `ask [CLIENT [PROXY]]` and `choose [HOST [ADDRESS]]` print the
# two records that asp-pinhole reads, by default the honest ones.

as() {
  {
    printf 'server=%s inside2=%s helper=%s\n' "$INSIDE1_AT:22" "$INSIDE2_AT:22" "$helper"
    cat << 'END'
set -- $SSH_CONNECTION
at() { case $1 in *:*) echo "[$1]:$2" ;; *) echo "$1:$2" ;; esac; }
me=$(at $1 $2) proxy=$(at $3 $4)
ask() {
  printf 'session=%s\nuser=mallory\nclient=%s\nproxy=%s\n\n' \
    "$(cat /proc/sys/kernel/random/uuid)" "${1:-$me}" "${2:-$proxy}"
}
choose() { printf 'host=%s\naddress=%s\n\n' "${1:-$server}" "${2:-${1:-$server}}"; }
END
    printf '%s\n' "$1"
  } > "$(lab_root dmz)/tmp/mallory.sh"
  on outside -u mallory timeout 20 ssh -n -p 33001 "mallory@$SQUASH" bash /tmp/mallory.sh
}
refused() { like "$(as "$1 | sudo -n \$helper")" "refused .*$2" "$3"; }

for family in 6 4; do
  lab_family $family
  proxy_allow 'cat' 'sleep %d'
  like "$(as '{ ask; choose; sleep 3; } | sudo -n $helper')" 'verified.*open session=' \
    "mallory gets the pinhole that her own rule allows, from her own address"
  refused "{ ask $OUTSIDE2_AT:5555; choose; }" 'no established connection' "a foreign client address is refused"
  proxy_session bears outside2 bear "$SQUASH" cat
  bears=$(on dmz ss -Htn state established sport = :33001 dst "$OUTSIDE2_AT" | awk '{ print $4 }')
  refused "{ ask $bears; choose; }" 'no parent process holds' "the living connection of somebody else is refused"
  is "$(proxy_rules)" 1 "and no rule was added"
  proxy_end bears
  refused '{ ask; choose $inside2; }' 'does not lead to' "a server outside of her rule is refused"
  refused '{ ask; choose $server $inside2; }' 'is not' "her server's name with another address is refused"
done
refused '{ ask; choose 203.0.113.10:23; }' 'does not lead to' "another port of her server is refused"
refused "{ ask '' $INDIVIDUAL:33001; choose; }" 'no established connection' "another address of the proxy is refused"
refused '{ ask | sed s/mallory/bear/; echo; choose; }' 'asks for bear' "another user's name is refused"
like "$(as '{ ask; choose; sleep 4; } | sudo -n $helper | cat > /dev/null & sleep 0.4; { ask; choose; } | sudo -n $helper; wait')" \
  '^refused .*has a pinhole already' "a second caller in the same session is refused"
for input in 'x\n' 'session=1\n\n' 'a=b\n\n' 'session=\0\n\n' 'user=mallory\n\n' '\n\n\n=\n\n'; do
  like "$(as "printf '$input' | sudo -n \$helper; echo status=\$?")" '^refused .*status=65' "garbage on stdin is refused: '$input'"
done
is "$(as ": | sudo -n \$helper; echo status=\$?")" status=0 "nothing on stdin opens nothing"
refused 'head -c 100000 /dev/urandom' '' "100 kB of noise are refused"
like "$(as '{ ask; choose; } | sudo -n $helper -v 2>&1')" 'password is required' "sudo refuses any argument"
like "$(as 'sudo -n /usr/sbin/iptables-restore < /dev/null 2>&1')" 'password is required' "sudo refuses iptables-restore"
refused 'exec 5<> /dev/tcp/127.0.0.1/22
  mine=$(ss -Htn state established dport = :22 dst 127.0.0.1 | awk "{ print \$3; exit }")
  { ask 127.0.0.1:22 $mine; choose; }' 'not accepted by root but by uid' "a socket that she opened herself is refused"

as 'ask > /tmp/ask; setsid -f bash -c "while kill -0 $PPID; do sleep 0.05; done; sleep 0.2
  cat /tmp/ask | sudo -n $helper | cat > /tmp/orphan" > /dev/null 2>&1 < /dev/null'
orphan=$(lab_root dmz)/tmp/orphan
ok "a process that outlived its SSH connection is refused" wait_until 10 grep -qs '^refused ' "$orphan"
like "$(cat "$orphan")" 'no established connection|no parent process' "because its connection is gone"

as '{ ask; choose; exec setsid sleep 60 3>&1 > /dev/null 2>&1; } 2> /dev/null | sudo -n $helper 2> /dev/null | cat > /tmp/kept &
  for _ in {1..200}; do grep -qs "open session=" /tmp/kept && break; sleep 0.05; done'
like "$(cat "$(lab_root dmz)/tmp/kept")" 'open session=' "(mallory keeps a pinhole's stdin open beyond her session)"
no_rules() { [ "$(proxy_rules)" = 0 ]; }
ok "a pinhole ends with its SSH connection even then" wait_until 2 no_rules
on dmz pgrep -u mallory sleep > /dev/null
is $? 0 "(while the process that kept its stdin lives on)"

is "$(proxy_rules)" 0 "nothing of all this left a rule"
done_testing
