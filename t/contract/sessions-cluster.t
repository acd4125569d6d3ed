#!/bin/bash
# asp-sessions --cluster: what one node sees of another's sessions.
. "${0%/*}/../lib/spool.sh"
install_tools asp-sessions asp-reap
. t/lib/nodes.sh
cp $tmp/asp-sessions /opt/aspera/proxy/bin/
sessions=$tmp/asp-sessions
column() { awk -v want="$1" 'NR == 1 { for (i = 1; i <= NF; ++i) if ($i == want) n = i } NR > 1 { print $n }' <<< "$out" | xargs; }

for args in '--cluster --watch' '--cluster --kill user=bear' '--cluster --hosts' '--cluster --leases' '--cluster --prometheus' '--publish user=bear' '--publish --json' '--cluster bear'; do
  # shellcheck disable=SC2086
  status 64 "asp-sessions $args: exit 64" node1 $sessions $args
done
with_cluster "<enabled>true</enabled>"
for mode in --cluster --publish; do
  status 78 "$mode without <redis>: exit 78" node1 $sessions $mode
  like "$err" '^asp-sessions: there is no <cluster> with <redis> in aspera.conf: this host is alone$' 'says so'
done

redis_up
with_cluster "<enabled>true</enabled><redis>$redis</redis>"
hold one < <(record 1 bear 198.51.100.10; record 2 bobcat 198.51.100.11)
status 75 'nothing is known of the other node: exit 75' node2 $sessions --cluster
is "$err" 'asp-sessions: not known: node1: it has reported nothing for 150 s' 'says so'
status 0 'asp-reap tells what is here' node1 $tmp/asp-reap
is "$out$err" '' 'silently'
status 0 'the other node sees it: exit 0' node2 $sessions --cluster
is "$(column NODE) $(column USER) $(column SESSION)" "node1 node1 bear bobcat $(id 1) $(id 2)" 'whose sessions they are'
like "$(tail -n 1 <<< "$out")" ' [0-9]s ago$' 'and how old that is'
like "$(ask PTTL sallyport:sessions:node1)" '^1[45][0-9]{4}$' 'what is not told again is forgotten'
ask PEXPIRE sallyport:sessions:node1 90000 > /dev/null
capture node2 $sessions --cluster --json
is "$(python3 -IS -c 'import json, sys
for s in json.load(sys.stdin): print(s["node"], s["user"], 60 <= s["seen_seconds"] < 70, s["age_seconds"] >= 60, s["flows"])' <<< "$out" | xargs)" 'node1 bear True True 0 node1 bobcat True True 0' 'as JSON, with the age of now'
ask PEXPIRE sallyport:sessions:node1 9000000 > /dev/null
capture node2 $sessions --cluster
like "$(tail -n 1 <<< "$out")" ' 0s ago$' "a jump of Redis' clock makes no age below zero"
status 0 'user=bear: exit 0' node2 $sessions --cluster user=bear
is "$(column USER)" bear 'one of them'
status 1 'nobody: exit 1' node2 $sessions --cluster user=nobody
status 1 'sessions of another node are not ended from here: exit 1' node2 $sessions --kill user=bear

ask RENAME sallyport:sessions:node1 sallyport:sessions:node2 > /dev/null
status 0 'with sessions on both' node1 $sessions --cluster
is "$(column NODE) $(column SEEN)" 'node1 node1 node2 node2 now now 0s 0s' 'this node first, as it is now'
for text in garbage "$(printf 'sessions=1\n\nsession=x\n\n')" "$(printf '%02000000d' 0)"; do
  ask -x SET sallyport:sessions:node2 <<< "$text" > /dev/null
  status 75 "what is not a list: exit 75: ${text:0:8}" node1 $sessions --cluster
  like "$err" '^asp-sessions: not known: node2: ' 'says whose'
  is "$(column NODE)" 'node1 node1' 'the rest is shown'
done
redis_down
status 75 'Redis is away: exit 75' node1 $sessions --cluster
like "$err" '^asp-sessions: not known: the other nodes: ask Redis 192.0.2.11:6379: Connection refused$' 'says so'
is "$(column NODE)" 'node1 node1' "this node's are shown"
status 75 '--publish: exit 75' node1 $sessions --publish
status 0 'asp-reap does its work all the same' node1 $tmp/asp-reap
is "$err" '' 'silently'

# --- metrics ---

samples() { grep -v '^#' <<< "$out"; }
capture node1 $sessions --prometheus
is "$(samples | grep -vc 'node="node1"')" 0 'in a cluster each sample has the node'
is "$(samples | grep -E '^sallyport_(drained|sessions)[ {]' | xargs -d '\n')" 'sallyport_drained{node="node1"} 0 sallyport_sessions{node="node1",rule="1",user="bear"} 1 sallyport_sessions{node="node1",rule="1",user="bobcat"} 1' 'before its other labels'
with_cluster "<redis>$redis</redis>"
capture node1 $sessions --prometheus
is "$(samples | grep -c node=)" 0 'elsewhere none has'
done_testing
