#!/bin/bash
# asp-redis, which speaks with Redis for programs that have rights: what it says to them, and
# what they make of one that is missing, hangs, dies or lies.
. "${0%/*}/../lib/spool.sh"
[ -x /usr/bin/redis-server ] || { echo '1..0 # SKIP needs redis-server'; exit; }
install_tools asp-balance asp-sessions
. t/lib/nodes.sh
helper=$prefix/libexec/asp-redis
cp t/lib/redis_talk.py t/lib/accept.py $tmp/
server="['$redis']"

# --- alone -------------------------------------------------------------------------------

as_dialer() { setpriv --reuid 64322 --regid 64322 --clear-groups "$@"; }
talk() { python3 -IS $tmp/redis_talk.py setpriv --reuid 64322 --regid 64322 --clear-groups $helper -- "$@" 2> /dev/null; }
status 77 'as root: exit 77' $helper < /dev/null
like "$err" 'not for root' 'says why'
status 64 'with an argument: exit 64' as_dialer $helper x
status 0 'asked nothing: exit 0' as_dialer $helper < /dev/null
is "$out$err" '' 'silently'

redis_up
terms="[0, $server, [], '']"
is "$(talk "$terms" "(5, [['SET', 'x', 'a b'], ['GET', 'x'], ['GET', 'none'], ['INCR', 'n'], ['LRANGE', 'none', '0', '1']])" "(5, [['PING']])")" \
  "None
['OK', 'a b', None, 1, []]
['PONG']
exit 0" 'answers, one question after the other'
is "$(talk "$terms" "(5, [['NONSENSE']])" "(5, [['GET', 'x']])" | tail -n 2)" "['a b']
exit 0" 'an error of Redis ends nothing'
like "$(talk "$terms" "(5, [['NONSENSE']])")" "ask Redis $redis: ERR unknown command" 'and is told'
like "$(talk "[0, ['192.0.2.11:1'], [], '']" "(5, [['PING']])")" 'ask Redis 192.0.2.11:1: Connection refused' 'as is that nobody is there'
ask CONFIG SET requirepass secret-1 > /dev/null
is "$(talk "[0, $server, [], 'secret-1']" "(5, [['GET', 'x']])" | sed -n 2p)" "['a b']" 'with a password'
like "$(talk "$terms" "(5, [['GET', 'x']])")" 'NOAUTH' 'without it'
redis-cli -h 192.0.2.11 -a secret-1 CONFIG SET requirepass '' > /dev/null 2>&1

for words in 'raw:ffffffff too_large' 'raw:05000000 not_whole' 'raw:00000000 empty' 'raw:010000002b of_no_kind' \
  '[0,[],[],""] without_servers' '[0,["localhost:6379"],[],""] with_a_name' '[0,["192.0.2.11:6379"],[],"two words"] with_no_password' \
  '7 of_another_kind' '[0,["192.0.2.11:6379"],[],"",1] too_long'; do
  is "$(talk "${words% *}")" 'exit 65' "terms, ${words##* }: exit 65"
done
for words in '(1,[]) none' '(1,[[]]) no_command' '(1,[[1]]) a_number' '(1,["PING"]) no_list' 'raw:ffffffff too_large'; do
  is "$(talk "$terms" "${words% *}")" 'None
exit 65' "a question, ${words##* }: exit 65"
done
kill -STOP $redis_pid
is "$(talk "$terms" "(0.2, [['PING']])" | sed -n 2p)" "ask Redis $redis: it does not answer in time" 'says when the time is over'
is "$(talk "$terms" "(-1, [['PING']])" | sed -n 2p)" "ask Redis $redis: it does not answer in time" 'also one that was over before'

# --- as a program with rights runs it ----------------------------------------------------------

with_cluster "<enabled>true</enabled><redis>$redis</redis><redis_password_file>$tmp/secret</redis_password_file>"
(umask 077; echo secret-1 > $tmp/secret)
sessions=$tmp/asp-sessions
helpers() { pgrep -x asp-redis; }
timeout 20 $sessions --cluster > $tmp/out 2> $tmp/err &
asker=$!
disown
ok 'asp-sessions starts it' wait_until 5 eval 'helpers > /dev/null'
pid=$(helpers)
proc() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$pid/status"; }
ok 'it connects' wait_until 5 eval 'ls -l /proc/$pid/fd | grep -q "3 -> socket"'
is "$(proc Uid) $(proc Gid) $(proc Groups | xargs)" "64322	64322	64322	64322 64322	64322	64322	64322 " 'under its own account, in no other group'
is "$(proc CapEff) $(proc CapPrm) $(proc NoNewPrivs)" '0000000000000000 0000000000000000 1' 'without rights, and without a way to more'
is "$(readlink "/proc/$pid/fd/"* | sed 's/:.*//' | xargs) $(readlink "/proc/$pid/fd/2")" 'socket socket /dev/null socket /dev/null' 'with nothing of whom it serves but a socket'
unlike "$(tr '\0' ' ' < "/proc/$pid/cmdline" && tr '\0' ' ' < "/proc/$pid/environ")" secret 'the password is not an argument, and in no environment'
nok 'nor can another process of that account look for it' as_dialer cat "/proc/$pid/environ" 2> /dev/null
kill -KILL $asker
ok 'it dies with whom it serves' wait_until 5 eval '! helpers > /dev/null'

# as_unit UNIT: what runs a program with the rights that it has there
as_unit() {
  local granted
  granted=$(sed -n 's/^CapabilityBoundingSet=//p' etc/systemd/$1.service | tr ' ' '\n' | sed 's/CAP_/+/' | tr '\nA-Z' ',a-z')
  echo "setpriv --bounding-set=-all,${granted%,} --no-new-privs"
}
# systemd COMMAND: starts it for whoever connects to asp-redis.socket
systemd() {
  [ -z "${systemd-}" ] || kill $systemd
  python3 -IS $tmp/accept.py /run/sallyport/asp-redis.sock "$@" > $tmp/systemd &
  systemd=$!
  disown
  wait_until 5 grep -q listens $tmp/systemd
}

# A program that may not change the account, as a unit of systemd's, connects to it.
kill -CONT $redis_pid
ask CONFIG SET requirepass secret-1 > /dev/null
systemd setpriv --reuid 64322 --regid 64322 --clear-groups $helper
# shellcheck disable=SC2046  # a command
capture timeout 20 $(as_unit asp-lease@) $sessions --cluster
is "$err" 'asp-sessions: not known: node2: it has reported nothing for 150 s' 'with the rights of asp-lease@.service, at a socket: Redis answers'
ok 'it ends with its connection' wait_until 5 eval '! helpers > /dev/null'
kill $systemd
rm /run/sallyport/asp-redis.sock
systemd=
redis-cli -h 192.0.2.11 -a secret-1 CONFIG SET requirepass '' > /dev/null 2>&1
kill -STOP $redis_pid

# hurt SIGNAL: asp-sessions --cluster, while it waits for Redis and that happens to asp-redis
hurt() {
  local began=${EPOCHREALTIME/./}
  capture eval "timeout 20 $sessions --cluster & wait_until 5 helpers > /dev/null && kill -$1 \$(helpers); wait %1"
  took_ms=$(((${EPOCHREALTIME/./} - began) / 1000))
}
hurt KILL
is "$err" 'asp-sessions: not known: the other nodes: ask Redis: asp-redis ended with status 137' 'killed while Redis is asked: Redis is away'
ok 'at once' test $took_ms -lt 2500
hurt STOP
is "$err" 'asp-sessions: not known: the other nodes: ask Redis: asp-redis does not answer in time' 'stopped: the same'
ok 'within the time for Redis' test $took_ms -lt 8000
ok 'and it is gone' wait_until 5 eval '! helpers > /dev/null'
kill -CONT $redis_pid
with_cluster "<enabled>true</enabled><redis>$redis</redis>"

# A Redis that takes 1.8 s for each exchange: all together may take 3.
cat > $tmp/slow.py << 'END'
import socket, time
s = socket.create_server(("192.0.2.11", 6380))
print("listening", flush=True)
while True:
    c = s.accept()[0]
    greeting = b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"
    try:
        while c.recv(65536):
            time.sleep(1.8)
            c.sendall(greeting + b"$-1\r\n:-2\r\n")
            greeting = b""
    except OSError:
        pass
END
python3 -IS $tmp/slow.py > $tmp/slow.said &
slow=$!
wait_until 5 grep -q listening $tmp/slow.said
with_cluster '<enabled>true</enabled><redis>192.0.2.11:6380</redis>'
sed -i 's|</nodes>|<node name="node3">192.0.2.13</node></nodes>|' $conf
began=${EPOCHREALTIME/./}
capture node1 $sessions --cluster
took_ms=$(((${EPOCHREALTIME/./} - began) / 1000))
is "$err" 'asp-sessions: not known: the other nodes: ask Redis 192.0.2.11:6380: it does not answer in time' 'the patience is for all questions together'
ok '(3 s)' test $took_ms -ge 2900
kill $slow
wait $slow 2> /dev/null
with_cluster "<enabled>true</enabled><redis>$redis</redis>"
sed -i 's|</nodes>|<node name="node3">192.0.2.13</node></nodes>|' $conf

# --- one that is not as it should be -------------------------------------------------------------

mv $helper $tmp/asp-redis
fake() { cat > $helper && chmod 755 $helper; }
# away WHY NAME [MILLISECONDS]: Redis is away for a session, which goes on
away() {
  local took
  rm -f /run/sallyport/redis-away
  : > $tmp/syslog
  took=${EPOCHREALTIME/./}
  # shellcheck disable=SC2086  # a command
  capture node1 ${caps-} $tmp/asp-balance < $tmp/route
  took=$(((${EPOCHREALTIME/./} - took) / 1000))
  is "$code $err $(sed -n 's/^host=//p' <<< "$out")" '0  a:22' "$2: a session goes on"
  ok 'the log says why' wait_until 5 grep -qF "Redis is away, this node goes on with what it knows itself: ask Redis: $1" $tmp/syslog
  [ -z "${3-}" ] || ok 'and waits for no longer' test $took -lt "$3"
}
printf 'rule=1\nupstream_user=xfer\nkeyfile=/k\nhost=a:22\nproxy_port=33001\nudp_port=33001\nsrc_port_filtering=true\n' > $tmp/route

away "run $helper: No such file or directory" 'asp-redis is missing'
printf '#!/bin/sh\nexit 3\n' | fake
away 'asp-redis ended with status 3' 'it ends at once'
chmod 644 $helper
away "run $helper: Permission denied" 'nobody may run it'
printf '#!/bin/sh\nexec sleep 100\n' | fake
away 'asp-redis does not answer in time' 'it hangs' 3000
nok 'and is no more' pgrep -x sleep
caps=$(as_unit asperaproxy) away 'asp-redis does not answer in time' 'it hangs, with the rights that asperaproxy.service has' 3000
nok 'and is no more' pgrep -x sleep
caps=$(as_unit asp-lease@) away "connect to /run/sallyport/asp-redis.sock: No such file or directory" 'nobody listens, for asp-lease@.service' 3000
systemd setpriv --reuid 64322 --regid 64322 --clear-groups $helper
caps=$(as_unit asp-lease@) away 'asp-redis does not answer in time' 'it hangs, at the socket' 3000
systemd /bin/true
caps=$(as_unit asp-lease@) away 'asp-redis hung up' 'it ends at once, at the socket' 3000
kill $systemd
pkill -x sleep
printf '#!/bin/sh\nexec sleep 100 < /dev/null > /dev/null\n' | fake
away 'asp-redis hung up' 'it hangs up'

# says PYTHON: says the bytes that this makes, as fast as can be
says() {
  PYTHONPATH=t/lib python3 -S -c "import sys; from redis_talk import *; sys.stdout.buffer.write($1)" > $tmp/said
  printf '#!/bin/sh\ncat %s\nexec sleep 100\n' $tmp/said | fake
}
says 'b"hello, world"'
away 'read a message: it is too large' 'it says garbage'
says 'b"\1\0\0\0+"'
away 'read a message: it has a value of no known kind' 'and other garbage'
says 'message(7)'
away 'asp-redis does not say that it is ready' 'something in the place of nothing'
# lies PYTHON: says that it is ready, and those bytes
lies() { says "message(None) + $1"; }
lies 'message([1, 2, 3, 4, 5, 6, 7])'
away 'asp-redis answers something else than it was asked' 'too many answers'
lies 'message([])'
away 'asp-redis answers something else than it was asked' 'too few'
lies 'message("no\n") + message("more")'
away 'asp-redis answers something else than it was asked' 'two answers'
lies 'message(7)'
away 'read a message: it lacks text where some belongs' 'a number'
lies 'struct.pack("=I", 5) + b"*" + struct.pack("=I", 0xffffffff)'
away 'read a message: it is shorter than it says' 'a list longer than the message'
lies 'struct.pack("=I", 500001) + (b"*" + struct.pack("=I", 1)) * 100000 + b"-"'
away 'read a message: it is too deep' 'lists in lists in lists'
lies 'struct.pack("=I", 5 + (1 << 21)) + b"*" + struct.pack("=I", 1 << 21) + b"-" * (1 << 21)'
away 'read a message: it has too many values' 'millions of values'
says 'message(None) + struct.pack("=I", 100000) + b"$"'
printf '#!/bin/sh\ncat %s\nwhile printf x; do sleep 0.01; done\n' $tmp/said | fake
away 'asp-redis does not answer in time' 'one byte at a time' 3000

cp $tmp/asp-redis $helper && chmod 711 $helper
caps='setpriv --bounding-set -setgid' away "run $helper: Operation not permitted" 'we may not become it'
no_account sallyport-dial
away 'there is no account sallyport-dial; see INSTALL' 'its account is missing'
account sallyport-dial 64322

# Another process of the account, which stops it as soon as it belongs to the account, mostly
# before it is asp-redis.
cat > $tmp/stopper.py << 'END'
import os, signal
while True:
    try:
        os.kill(-1, signal.SIGSTOP)
    except ProcessLookupError:
        pass
END
setpriv --reuid 64322 --regid 64322 --clear-groups python3 -IS $tmp/stopper.py &
stopper=$!
slowest=0
for _ in {1..10}; do
  rm -f /run/sallyport/redis-away
  began=${EPOCHREALTIME/./}
  node1 $tmp/asp-balance < $tmp/route > /dev/null 2>&1
  took_ms=$(((${EPOCHREALTIME/./} - began) / 1000))
  [ $took_ms -le $slowest ] || slowest=$took_ms
done
diag "stopped at once: $slowest ms"
ok 'one that is stopped at once holds up no session' test $slowest -lt 5000
kill -KILL $stopper
wait $stopper 2> /dev/null
is "$(helpers)" '' 'and is gone'

# --- and as it should be ---------------------------------------------------------------------------

printf '#!/bin/sh\necho >> %s\nexec %s\n' $tmp/starts $tmp/asp-redis | fake
: > $tmp/starts
chmod 666 $tmp/starts
capture node1 $sessions --cluster
is "$(wc -l < $tmp/starts) $(grep -c 'reported nothing' <<< "$err")" '1 2' 'several questions start it once'
rm -f /run/sallyport/redis-away
: > $tmp/syslog
status 0 'and it is used' node1 $tmp/asp-balance < $tmp/route
is "$(wc -l < $tmp/starts) $(grep -c away $tmp/syslog)" '2 0' 'by each program that asks'
redis_down
done_testing
