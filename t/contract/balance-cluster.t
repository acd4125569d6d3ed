#!/bin/bash
# Turns and marks of two nodes that share a Redis, and of nodes that have lost it.
# The second node has a /run/sallyport, a name and a time since boot of its own.
. "${0%/*}/../lib/spool.sh"
install_tools asp-balance asperaproxy asp-reap asp-sessions
state=/run/sallyport/balance
. t/lib/nodes.sh

route() {  # HOST...
  printf 'rule=1\nupstream_user=xfer\nkeyfile=/k\n'
  printf 'host=%s\n' "$@"
  printf 'proxy_port=33001\nudp_port=33001\nsrc_port_filtering=true\n'
}
route a:22 b:22 c:22 > $tmp/route
route d:22 > $tmp/alone
hosts() { sed -n 's/^host=//p' | xargs; }
balance() { "$1" $tmp/asp-balance "${@:2}" < $tmp/route; }       # NODE [-n]
first() { balance "$1" | hosts | cut -d ' ' -f 1; }
tried() { balance "$1" -n 2> /dev/null | hosts | tr ' ' '\n' | sort | xargs; }
# mark NODE STATE HOST SECONDS [BY]: as a session of that node leaves it when Redis is away
mark() {
  "$1" bash -c 'mkdir -p '$state'/marks
    printf "host=%s\nstate=%s\nsince=2026-11-22T15:04:05Z\nuntil=%d\nreason=it failed\nby=%s\n\n" "$2" "$1" $(($(cut -d . -f 1 /proc/uptime) + $3)) "$4" > '$state'/marks/$1-$2' mark "$2" "$3" "$4" "${5-x}"
}
marks() { "$1" ls $state/marks 2> /dev/null | xargs; }
forget() {
  rm -rf /run/sallyport/* $tmp/run2/*
  ask FLUSHALL > /dev/null
}
left() { "$1" $tmp/asp-sessions --hosts --json | python3 -IS -c 'import json, sys; print([h["left_seconds"] for h in json.load(sys.stdin) if h["host"] == sys.argv[1]][0])' "$2"; }

# --- a host alone ------------------------------------------------------------------------

redis_up
connections() { ask INFO stats | sed -n 's/total_connections_received:\([0-9]*\).*/\1/p'; }
with_cluster "<redis>$redis</redis>"
before=$(connections)
balance node1 > /dev/null
is "$(connections)" $((before + 1)) 'a cluster that is not enabled: nobody asks Redis'
with_cluster '<enabled>true</enabled>'
balance node1 > /dev/null
is "$(connections)" $((before + 2)) 'nor without <redis>'
rm $conf
balance node1 > /dev/null
is "$(connections) $(ls /run/sallyport/redis-away 2> /dev/null)" "$((before + 3)) " 'nor without aspera.conf'
forget

# --- what is shared ----------------------------------------------------------------------------

with_cluster "<enabled>true</enabled><redis>$redis</redis>"
is "$(for _ in 1 2 3; do first node1; first node2; done | xargs)" 'a:22 b:22 c:22 a:22 b:22 c:22' 'the nodes take turns of one list'
mark node1 faulty b:22 90
is "$(tried node1)" 'a:22 c:22' 'a host that one node found dead'
balance node2 -n > /dev/null 2> $tmp/err
is "$(tried node2)" 'a:22 c:22' 'is passed over by the other'
like "$(cat $tmp/err)" 'b:22: faulty since 2026-11-22T15:04:05Z, (89|90) s left: it failed' 'with the reason, for as long'
ok 'the log says who found it' wait_until 5 grep -q 'Server b:22 is faulty, says node node1: it failed' $tmp/syslog
like "$(left node1 b:22) $(left node2 b:22)" '^(8[5-9]|90) (8[5-9]|90)$' 'it lasts as long on both, whose clocks have nothing in common'
status 0 'heal on the other node' node2 $tmp/asperaproxy heal b:22
is "$(tried node2) $(tried node1)" 'a:22 b:22 c:22 a:22 b:22 c:22' 'heals it for both'
is "$(marks node1)$(marks node2)" '' 'and leaves nothing'

status 0 'fault on one node' node1 $tmp/asperaproxy fault a:22 new disks
is "$(tried node2)" 'b:22 c:22' 'takes a host out of service on the other'
node1 $tmp/asperaproxy fault d:22 > /dev/null
status 75 'also one that has no alternative' node2 $tmp/asp-balance < $tmp/alone
node2 $tmp/asperaproxy heal d:22 > /dev/null
status 0 'until it is healed' node1 $tmp/asp-balance < $tmp/alone
is "$(marks node1)" maintenance-a:22 'no other is'
ask SET sallyport:mark:faulty-c:22 'host=c:22
state=faulty
since=2026-11-22T15:04:05Z
seconds=90
reason=xfer is refused
by=y
node=node9
' PX 95000 > /dev/null
ask SADD sallyport:marks faulty-c:22 > /dev/null
is "$(node2 $tmp/asp-sessions --hosts | awk '$3 == "c:22" {print $5}')" faulty 'asp-sessions --hosts asks what others know'
node1 $tmp/asp-reap
is "$(marks node1)" 'faulty-c:22 maintenance-a:22' 'asp-reap, too'
status 0 'a host that is healed where nobody has tried it' node1 $tmp/asperaproxy heal c:22
is "$(tried node2)" 'b:22 c:22' 'is healed'
mark node2 suspect b:22 90
is "$(tried node2) $(tried node1)" 'b:22 c:22 b:22 c:22' 'a suspicion'
node2 $tmp/asp-reap
is "$(ask KEYS 'sallyport:mark:suspect*')" '' 'is not shared'

# --- Redis forgets, or is away ---------------------------------------------------------------------

ask FLUSHALL > /dev/null
is "$(tried node2)" 'b:22 c:22' 'Redis is empty after a restart: what was known still is'
like "$(ask GET sallyport:mark:maintenance-a:22)" 'reason=new disks' 'and is told again'
node1 $tmp/asperaproxy heal a:22 > /dev/null
is "$(tried node2)" 'a:22 b:22 c:22' 'so that it can be healed from anywhere'

node1 $tmp/asperaproxy fault c:22 > /dev/null
is "$(tried node2)" 'a:22 b:22' 'a mark that both have'
kill -STOP $redis_pid
status 75 'heal while Redis does not answer: exit 75' node1 $tmp/asperaproxy heal c:22
is "$(tried node1) $(tried node2)" 'a:22 b:22 c:22 a:22 b:22' 'is for one node'
kill -CONT $redis_pid
rm -f /run/sallyport/redis-away $tmp/run2/redis-away
is "$(tried node2) $(tried node1) $(tried node2)" 'a:22 b:22 a:22 b:22 c:22 a:22 b:22 c:22' 'until Redis answers, and the node has told it'
is "$(ls /run/sallyport/balance/healed)" '' 'which it does once'

redis_down
: > $tmp/syslog
status 0 'Redis killed: exit 0' balance node1 -n
is "$err" '' 'silently'
ok 'the log says so' wait_until 5 grep -qF 'Redis is away, this node goes on with what it knows itself: ask Redis 192.0.2.11:6379: Connection refused' $tmp/syslog
mark node1 faulty b:22 90
is "$(tried node1) $(tried node2)" 'a:22 c:22 a:22 b:22 c:22' 'a mark is good on its own node'
is "$(for _ in 1 2 3; do first node2; done | xargs)" 'a:22 b:22 c:22' 'and so are turns'
ok 'it is said once on each node' wait_until 5 logged 2 'Redis is away'
status 75 'fault: exit 75' node2 $tmp/asperaproxy fault c:22
like "$err" '^asperaproxy: on this node alone, until Redis is back: ask Redis 192.0.2.11:6379: Connection refused$' 'says what was not done'
is "$(tried node2)" 'a:22 b:22' 'here it is'
redis_up
nodes $tmp/asp-reap
nodes $tmp/asp-reap
is "$(tried node1) $(tried node2)" 'a:22 a:22' 'Redis is back: all is told'
ok 'and said' wait_until 5 logged 2 'Redis is back'
node1 $tmp/asperaproxy heal b:22 > /dev/null
node1 $tmp/asperaproxy heal c:22 > /dev/null

kill -STOP $redis_pid
: > $tmp/syslog
ms() {
  local began=${EPOCHREALTIME/./}
  "$@" > /dev/null 2>&1
  echo $(((${EPOCHREALTIME/./} - began) / 1000))
}
first_ms=$(ms balance node1)
ok 'the first says what it found' wait_until 5 grep -q 'Redis is away.*it does not answer in time' $tmp/syslog
ok 'nor does it wait for long' test "$first_ms" -lt 2000
until=$(cat /run/sallyport/redis-away)
more_ms=$(ms balance node1)
is "$(cat /run/sallyport/redis-away)" "$until" 'the next does not ask'
kill -CONT $redis_pid
diag "a Redis that hangs: asp-balance takes $first_ms ms, then $more_ms ms"
ok 'when the pause is over one asks again' wait_until 10 eval 'balance node1 > /dev/null && [ ! -e /run/sallyport/redis-away ]'
diag "with Redis: $(ms balance node1) ms"
printf 99999999999999999 > /run/sallyport/redis-away
balance node1 > /dev/null
nok 'a pause that nobody can have written is none' test -e /run/sallyport/redis-away

# --- Redis' clock jumps: what it was to keep for a time it forgets, or keeps for longer ------------------

forget
mark node1 faulty b:22 60
tried node1 > /dev/null
tried node2 > /dev/null
like "$(ask PTTL sallyport:mark:faulty-b:22)" '^6[0-9]{4}$' 'Redis itself forgets a mark of a minute'
ask DEL sallyport:mark:faulty-b:22 > /dev/null
is "$(tried node2) $(tried node1)" 'a:22 c:22 a:22 c:22' 'an hour ahead: it has forgotten what lasts its minute all the same'
like "$(left node1 b:22) $(left node2 b:22)" '^([45][0-9]|60) ([45][0-9]|60)$' 'and no longer'
is "$(ask EXISTS sallyport:mark:faulty-b:22)" 1 'it is told again'
ask PEXPIRE sallyport:mark:faulty-b:22 3600000 > /dev/null
rm $tmp/run2/balance/marks/*
like "$(left node2 b:22)" '^([3-5][0-9]|60)$' 'an hour back: a node that learns of it keeps it no longer than its minute'
mark node1 faulty b:22 -1
mark node2 faulty b:22 -1
is "$(tried node1) $(tried node2)" 'a:22 b:22 c:22 a:22 b:22 c:22' 'and one that knows it to be over does not begin anew'
is "$(marks node1) $(marks node2)" 'faulty-b:22 faulty-b:22' 'it tries the host as one whose time has come'

# --- what is in Redis is not believed blindly -----------------------------------------------------------

forget
for text in garbage '' 'host=c:22
state=faulty
since=x
seconds=90
reason=another host
by=y
' 'host=b:22
state=faulty
since=x
seconds=99999999999
reason=for ever
by=y
' "$(printf 'x%.0s' {1..20000})" 'healed='; do
  ask SET sallyport:mark:faulty-b:22 "$text" > /dev/null
  ask SADD sallyport:marks faulty-b:22 > /dev/null
  is "$(tried node1)" 'a:22 b:22 c:22' "what is not a mark is none: ${text:0:4}"
done
ask DEL sallyport:mark:faulty-b:22 > /dev/null
ask LPUSH sallyport:mark:faulty-b:22 list > /dev/null
is "$(tried node1)" 'a:22 b:22 c:22' 'nor is what is of another kind'
forget
ask SADD sallyport:marks ../../../tmp/precious faulty-../x maintenance-a:22 > /dev/null
echo precious > $tmp/precious
node1 $tmp/asp-reap
is "$(cat $tmp/precious) $(ask SMEMBERS sallyport:marks | grep -c .)" 'precious 2' 'names lead nowhere; those of nothing are forgotten'
with_cluster "<enabled>true</enabled><redis>$redis</redis><redis_password_file>$tmp/secret</redis_password_file>"
(umask 077; echo secret-1 > $tmp/secret)
: > $tmp/syslog
status 0 'a password that Redis does not have: exit 0' balance node1
ok 'the log says so' wait_until 5 grep -q 'Redis is away.*AUTH' $tmp/syslog
chmod 644 $tmp/secret
rm -f /run/sallyport/redis-away
: > $tmp/syslog
status 0 'one that others can read: exit 0' balance node1
ok 'the log says that, too' wait_until 5 grep -q 'Redis is away.*secret: must be a file that belongs to root' $tmp/syslog
nok 'and never what it is' grep -q secret-1 $tmp/syslog
redis_down
done_testing
