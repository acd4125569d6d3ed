#!/bin/bash
# asp-pinhole: whom it refuses, what it opens, and that nothing keeps it open.
#
# All of it happens in mount, network and process namespaces of its own, with
# tmpfs on /opt and /run. A session is made as sshd makes it: root accepts the
# client's connection, a process of the user's holds it, and below that runs
# the session; sudo is left out, SUDO_UID set as it would. What packets do is
# shown by the end-to-end tests.
. "${0%/*}/../lib/alone.sh"

suite asp-pinhole asp-reap
mkdir /opt/tmp
pinhole=$prefix/libexec/asp-pinhole
conf=$prefix/etc/aspera.conf
cat > $conf << 'EOF_CONF'
<CONF version="2"><server><rproxy><enabled>true</enabled><rules>
<rule host_ip="198.51.100.39"><hosts><host>203.0.113.10</host><host>203.0.113.11:2222</host><host>localhost</host></hosts><keyfile>/k</keyfile></rule>
<rule host_ip="2001:db8:a::39"><host>[2001:db8:b::10]:22</host><keyfile>/k</keyfile><bind_source_address>2001:db8:b::2</bind_source_address></rule>
</rules></rproxy></server></CONF>
EOF_CONF
for address in 198.51.100.10/32 198.51.100.11/32 198.51.100.12/32 198.51.100.39/32 198.51.100.40/32; do ip address add $address dev lo; done
for address in 2001:db8:c::10/128 2001:db8:a::39/128; do ip address add $address dev lo nodad; done

cat > /opt/tmp/sshd.py << 'EOF_SSHD'
"""sshd.py [option...] PROGRAM ARG...: PROGRAM in a session as sshd makes it.

Exits with PROGRAM's status. The processes, from the top: root's sshd, the
user's sshd (its process number goes to /opt/tmp/holder), the session. The far end
of the connection is held by a process whose number goes to /opt/tmp/keeper; with
SIGUSR1 it closes its own direction.
"""
import argparse, fcntl, os, signal, socket, struct, time

p = argparse.ArgumentParser()
p.add_argument("--uid", type=int, default=65534, help="whom sudo names")
p.add_argument("--owner", type=int, default=0, help="who accepts the connection")
p.add_argument("--holder", type=int, help="whose process holds it, if not the user's")
p.add_argument("--nobody-holds", action="store_true")
p.add_argument("--below", type=int, default=0, help="processes between session and PROGRAM")
p.add_argument("--noted", help="what asp-upstream of the session has noted, with ; between the lines")
p.add_argument("--unheld", action="store_true", help="an asp-upstream that is dead")
p.add_argument("--client", default="198.51.100.10")
p.add_argument("--proxy", default="198.51.100.39")
p.add_argument("program", nargs=argparse.REMAINDER)
o = p.parse_args()

keeper = holder = None

def wait(pid):
    status = os.waitpid(pid, 0)[1]
    if pid == holder:
        os.kill(keeper, signal.SIGKILL)
    os._exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))

family = socket.AF_INET6 if ":" in o.proxy else socket.AF_INET
listener, client = socket.socket(family), socket.socket(family)
for s in listener, client:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((o.proxy, 33001))
listener.listen()
client.bind((o.client, 51512))
client.connect((o.proxy, 33001))
os.seteuid(o.owner)
connection = listener.accept()[0]
listener.close()
os.seteuid(0)
for s in client, connection:  # no TIME_WAIT, so that the next session may have the same ports
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
keeper = os.fork()  # the far end, and with --nobody-holds the near one
if keeper == 0:
    os.closerange(0, 3)
    if not o.nobody_holds:
        connection.close()
    signal.signal(signal.SIGUSR1, lambda *_: client.shutdown(socket.SHUT_WR))
    while True:
        signal.pause()
with open("/opt/tmp/keeper", "w") as note:
    print(keeper, file=note)
client.close()
if o.nobody_holds:
    connection.close()
holder = os.fork()
if holder:
    connection.close()
    wait(holder)
note = os.open("/opt/tmp/holder", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
uid = o.uid if o.holder is None else o.holder
os.setresuid(uid, uid, 0)
session = os.fork()
if session:
    os.pwrite(note, b"%d\n" % os.getpid(), 0)
    wait(session)
os.closerange(3, 100)
os.setresuid(0, 0, 0)
if o.noted:
    with open("/proc/self/stat") as stat:
        started = stat.read().rpartition(")")[2].split()[19]
    os.makedirs("/run/sallyport/dialers", mode=0o700, exist_ok=True)
    dialer = os.open(f"/run/sallyport/dialers/{os.getpid()}.{started}", os.O_RDWR | os.O_CREAT, 0o600)
    os.write(dialer, o.noted.replace(";", "\n").encode() + b"\n\n")
    if not o.unheld:
        fcntl.flock(dialer, fcntl.LOCK_EX)
        session = os.getpid()
        if os.fork() == 0:  # asp-upstream, as long as the session lives
            os.closerange(0, 3)
            while os.getppid() == session:
                time.sleep(0.02)
            os._exit(0)
    os.close(dialer)
os.environ.update(SUDO_UID=str(o.uid), SUDO_USER="somebody")
for _ in range(o.below):
    child = os.fork()
    if child:
        wait(child)
os.execv(o.program[0], o.program)
EOF_SSHD
chmod 777 /opt/tmp
python() { "$python" -IS "$@"; }
python=$(python3 -c 'import sys; print(sys.executable)')
sshd() { python /opt/tmp/sshd.py "$@"; }
# The pinhole in a session; what it says goes through a pipe to /opt/tmp/said.
said() {
  : > /opt/tmp/said
  sshd "$@" $pinhole 2> /dev/null | cat > /opt/tmp/said
  return "${PIPESTATUS[0]}"
}

id=11111111-0000-4000-8000-000000000001
request() {  # name=value...: instead of, or besides, the good ones
  local -A field=([session]=$id [user]=nobody [client]=198.51.100.10:51512 [proxy]=198.51.100.39:33001)
  local each
  for each in "$@"; do field[${each%%=*}]=${each#*=}; done
  for each in "${!field[@]}"; do [ "${field[$each]}" = - ] || printf '%s=%s\n' "$each" "${field[$each]}"; done
  echo
}
dialogue() {  # request's text, then the second record's: the latter when the first was answered
  printf '%s\n\n' "$1"
  wait_for 'verified\|refused'
  printf '%b' "$2"
  [ -z "$2" ] || wait_for '^open\|^refused'  # one whose stdin ends before opens nothing
}
wait_for() {  # pattern in what the pinhole said
  local i
  for i in {1..300}; do
    grep -q "$1" /opt/tmp/said 2> /dev/null && return
    sleep 0.01
  done
  echo "# never said: $1" >&2
  return 1
}
# All that runs in the background has ended; what has not after 15 s, or more on a busy machine, is killed.
wait_jobs() {
  local i
  for i in {1..1500}; do
    [ -n "$(jobs -pr)" ] || break
    sleep 0.01
  done
  # shellcheck disable=SC2046  # a list of numbers
  [ -z "$(jobs -pr)" ] || { echo "# still there: $(ps -o pid=,args= $(jobs -pr))"; kill -KILL $(jobs -pr); } 2> /dev/null
  wait
}
until_true() {
  local i
  for i in {1..300}; do
    "$@" && return
    sleep 0.01
  done
  return 1
}
rules() { iptables -t nat -S 2> /dev/null | grep '^-A SALLYPORT-SESSIONS '; }
rules6() { ip6tables -t nat -S 2> /dev/null | grep '^-A SALLYPORT-SESSIONS '; }
recorded() { compgen -G '/run/sallyport/sessions/*' || compgen -G '/run/sallyport/callers/*' || compgen -G '/run/sallyport/turns/*'; }
nothing_recorded() { ! recorded > /dev/null; }
closed() { nothing_recorded && [ -z "$(rules)$(rules6)" ]; }

# refused CODE PATTERN NAME [sshd's options]: stdin is the request
refused() {
  local code=$1 pattern=$2 name=$3
  shift 3
  status "$code" "$name: refused with $code" sshd "$@" $pinhole
  like "$out" "^refused code=$code reason=.*$pattern" 'says why, on stdout'
  is "$(wc -l <<< "$out")" 1 'on one line'
  ok 'and nothing is open' nothing_recorded
}

# syslog, as lines in a file
mount -t tmpfs -o mode=755 dev /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/urandom c 1 9 || exit
ln -s /proc/self/fd /dev/fd
mkdir /dev/pts && mount -t devpts -o newinstance,ptmxmode=666 dev /dev/pts && ln -s pts/ptmx /dev/ptmx
: > /opt/tmp/syslog
python -c 'import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/dev/log")
while True:
    print(s.recv(65535).decode(errors="replace"), flush=True)' >> /opt/tmp/syslog < /dev/null &
disown  # nobody waits for it
until_true test -S /dev/log
logged() { grep -qE "$1" /opt/tmp/syslog; }

# --- who may call it ---------------------------------------------------------------

mkdir -p /run/sallyport/{sessions,callers,turns} && chmod 700 /run/sallyport/*
export SUDO_UID=65534
for args in 'x' '-h' '-- x' "$id"; do
  # shellcheck disable=SC2086
  status 64 "asp-pinhole $args: no arguments are taken" $pinhole $args < /dev/null
  is "$out" 'refused code=64 reason="asp-pinhole takes no arguments" logged=true' 'refused, on stdout'
done
status 77 'not root: refused' setpriv --reuid=65534 --regid=65534 --clear-groups $pinhole < <(request)
is "$out" 'refused code=77 reason="must be run as root, through sudo" logged=true' 'says so'
unset SUDO_UID
status 77 'root, but not through sudo: refused' $pinhole < <(request)
is "$out" 'refused code=77 reason="must be run through sudo: SUDO_UID is not set" logged=true' 'says so'
for uid in '' x 1x -1 ' 1' 1.0 99999999999 0x1 $'1\n'; do
  status 77 "SUDO_UID='${uid//[!0-9a-z. -]/?}': refused" env SUDO_UID="$uid" $pinhole < <(request)
done
status 77 'a user that does not say so: no connection, no pinhole' env SUDO_UID=65534 $pinhole < <(request)
like "$out" "^refused code=77 reason=\"no parent process is sshd's for nobody" 'says why'
ok 'nothing is open' closed
rm -r /run/sallyport

# --- what it reads --------------------------------------------------------------------

status 0 'stdin ends at once: no pinhole, no complaint' sshd $pinhole < /dev/null
is "$out$err" '' 'silence'
status 0 'stdin ends within the first record' sshd $pinhole < <(printf 'session=%s\n' $id)
ok 'the directories are made, for root alone' test "$(stat -c %a:%u /run/sallyport/sessions)" = 700:0
refused 65 'is not name=value' 'garbage' < <(echo garbage)
refused 65 'is not name=value' 'an escape sequence' < <(printf '\e]0;owned\a\n\n')
like "$out" ": '\\\\x1b]0;owned\\\\x07' is not" 'escaped, once'
unlike "$out" $'[^ -~]' 'completely'
refused 65 'NUL' 'a NUL byte' < <(printf 'user=a\0b\n\n')
refused 65 'longer than 8192' 'a line that never ends' < <(yes | tr -d '\n')
refused 65 'longer than 8192' 'a line over 8 KiB' < <(printf 'command=%9000s\n' x)
refused 65 'more than 8192 bytes' 'a record over 8 KiB' < <(for i in {1..60}; do printf 'x%d=%0200d\n' "$i" 0; done)
refused 65 'more than 64 lines' 'a record of 65 lines' < <(printf '#\n%.0s' {1..65})
refused 65 'host does not belong here' 'a host in the request' < <(request host=203.0.113.10:22)
refused 65 'keyfile does not belong here' 'a route of its own' < <(request keyfile=/etc/shadow)
refused 65 'pid does not belong here' 'a process of its own choice' < <(request pid=1)
refused 65 'user is given twice' 'two users' < <(printf 'user=root\n'; request)
refused 65 'session: not a UUID' 'a session id with a path in it' < <(request session=../../../etc/cron.d/x)
refused 65 'session: not a UUID' 'a session id with a rule in it' < <(request session="$id -j ACCEPT")
refused 65 'session is missing' 'no session id' < <(request session=-)
refused 65 'client is missing' 'no client' < <(request client=-)
refused 65 'not address:port' 'a client that is a name' < <(request client=localhost:51512)
refused 65 'not an account name' 'a user with a path in it' < <(request user=../root)
status 65 'a second request instead of a host: refused with 65' sshd $pinhole < <(request; request)
is "$out" 'verified rule=1
refused code=65 reason="record: client does not belong here" logged=true' 'after the first was verified'
ok 'and nothing is open' closed

# --- whom it believes -------------------------------------------------------------------

refused 77 'no established connection' 'another client port' < <(request client=198.51.100.10:51513)
refused 77 'no established connection' 'another client address' < <(request client=198.51.100.11:51512)
refused 77 'no established connection' 'another address of the proxy' < <(request proxy=198.51.100.40:33001)
refused 77 "none holds a connection that root accepted" 'a connection that the user accepted himself' --owner 65534 < <(request)
refused 77 'none holds a connection that root accepted' 'a connection that somebody else holds' --nobody-holds < <(request)
refused 77 'belongs to uid 1, not to nobody' "another user's connection" --holder 1 < <(request)
refused 77 'belongs to uid 65534, not to daemon' "the connection of the user, but sudo's word for another" --uid 1 --holder 65534 < <(request user=daemon)
refused 77 'nobody asks for root' 'a request in the name of root' < <(request user=root)
refused 77 'nobody asks for daemon' "a request in another user's name" < <(request user=daemon)
refused 71 'uid 4242 has no account' 'a user without an account' --uid 4242 < <(request)
cp $conf $conf.good
sed -i 's/198.51.100.39/198.51.100.99/' $conf
refused 77 'no rule of aspera.conf matches nobody at 198.51.100.39:33001' 'no rule for it' < <(request)
sed 's/<enabled>true/<enabled>false/' $conf.good > $conf
refused 77 'no rule of aspera.conf' 'the reverse proxy is off' < <(request)
sed 's/<enabled>/<enable>/' $conf.good > $conf
refused 78 'aspera.conf:1:' 'a broken configuration' < <(request)
cp $conf.good $conf
chmod 666 $conf
refused 78 'must belong to root and be writable by root alone' 'a configuration that anybody can write' < <(request)
chmod 644 $conf && chown 65534 $conf
refused 78 'must belong to root' 'a configuration of the user' < <(request)
chown 0 $conf && mv $conf $conf.away
refused 78 'open .*aspera.conf' 'no configuration' < <(request)
mv $conf.away $conf

# --- before it reads anything ------------------------------------------------------------

status 77 'without a session: refused, though nobody says anything' env SUDO_UID=65534 timeout 5 $pinhole < <(sleep 5)
status 77 "in somebody else's session, likewise" sshd --uid 1 --holder 65534 /usr/bin/timeout 5 $pinhole < <(sleep 5)
status 77 'for root: refused' env SUDO_UID=0 timeout 5 $pinhole < <(sleep 5)
began=$SECONDS
status 75 'a session that asks for nothing: given up' sshd $pinhole < <(sleep 15)
is "$out" 'refused code=75 reason="no request came within 10 s" logged=true' 'says so'
ok 'after 10 s' test $((SECONDS - began)) -le 12
status 75 'a request that never ends: given up, too' sshd $pinhole < <(printf 'user=nobody\n'; for i in {1..30}; do sleep 0.5; echo "#"; done)
# crowd: the one that is let in hears nothing until the others have been refused, however slowly the machine starts them.
crowd() {
  local said=/opt/tmp/crowd
  mkfifo $said.silence && exec 9<> $said.silence
  for _ in {1..20}; do $pinhole < $said.silence 9>&- | cat >> $said 9>&- & done
  for _ in {1..80}; do [ "$(grep -c 'pinhole already' $said)" -lt 19 ] || break; sleep 0.1; done
  exec 9>&-
  wait_jobs
  cat $said
}
status 0 '(20 of one session at once, which hear nothing)' sshd "$BASH" -c "$(declare -f crowd); pinhole=$pinhole; crowd"
is "$(grep -c 'this session has a pinhole already' <<< "$out")" 19 'only one of them is let in to be heard'
refused 65 'session is missing' "the doctor's question, without a doctor" < <(printf 'trial=sudo\n\n')

# foreign DESCRIPTOR: the pinhole with a socket there that is root's
cat > /opt/tmp/foreign.py << 'EOF_FOREIGN'
"""foreign.py DESCRIPTOR KIND UID PROGRAM...: PROGRAM with a socket of that uid's for a descriptor. Prints what root says on it."""
import os, socket, sys
kinds = dict(stream=(socket.AF_UNIX, socket.SOCK_STREAM), datagram=(socket.AF_UNIX, socket.SOCK_DGRAM), packet=(socket.AF_UNIX, socket.SOCK_SEQPACKET))
os.seteuid(int(sys.argv[3]))
ours, theirs = socket.socketpair(*kinds[sys.argv[2]])
os.seteuid(0)
if (child := os.fork()) == 0:
    os.dup2(theirs.fileno(), int(sys.argv[1]))
    os.execvp(sys.argv[4], sys.argv[4:])
theirs.close()
status = os.waitpid(child, 0)[1]
ours.setblocking(False)
try:
    said = ours.recv(4096)
except (BlockingIOError, ConnectionResetError):
    said = b""
os.write(1, b"heard: " + said + b"\n")
os._exit(os.waitstatus_to_exitcode(status))
EOF_FOREIGN
for kind in stream datagram packet; do
  for descriptor in 0 1 2; do
    [ $descriptor = 2 ] && expected=65 || expected=77
    status $expected "descriptor $descriptor that is a $kind socket of root's: $expected" \
      python /opt/tmp/foreign.py $descriptor $kind 0 "$python" -IS /opt/tmp/sshd.py $pinhole < <(request user=../root)
    is "$(grep ^heard: <<< "$out")" 'heard: ' 'and nothing is said on it'
  done
done
status 65 "a stream of the caller's own for stdout: heard" \
  python /opt/tmp/foreign.py 1 stream 65534 "$python" -IS /opt/tmp/sshd.py $pinhole < <(request user=../root)
like "$out" 'heard: refused code=65' 'and answered on'
status 77 'a packet socket of the caller: refused' \
  python /opt/tmp/foreign.py 1 packet 65534 "$python" -IS /opt/tmp/sshd.py $pinhole < <(request user=../root)
like "$out$(cat /opt/tmp/syslog)" 'Refused a pinhole to somebody: stdin and stdout must be' 'the log says why'

# TZ and its like: a time of the caller's choice in root's lines of the log.
: > /opt/tmp/syslog
TZ=UTC-11:30 LC_ALL=C.UTF-8 status 65 '(a refusal, with the time of another place)' sshd $pinhole < <(request user=../root)
ok '(it is logged)' until_true logged 'Refused a pinhole'
time_in_log=$(sed -nE 's/^<[0-9]+>... .. (..:..):.*/\1/p' /opt/tmp/syslog | head -n 1)
like "$time_in_log" "^($(date -d '1 minute ago' +%H:%M)|$(date +%H:%M))$" 'the log has the time of this place'

# --- which host -----------------------------------------------------------------------------

# chosen CODE PATTERN NAME TEXT [sshd's options]: what comes of TEXT as the second record
chosen() {
  said "${@:5}" < <(dialogue "$(request)" "$4")
  is "$?" "$1" "$3: refused with $1"
  like "$(tail -n1 /opt/tmp/said)" "^refused code=$1 reason=.*$2" 'says why'
  is "$(head -n1 /opt/tmp/said)" 'verified rule=1' 'after it was verified'
  ok 'and nothing is open' nothing_recorded
}
chosen 77 'does not lead to 203.0.113.99:22' 'a host outside the rule' 'host=203.0.113.99:22\naddress=203.0.113.99:22\n\n'
chosen 77 'does not lead to 203.0.113.10:2222' 'a port outside the rule' 'host=203.0.113.10:2222\naddress=203.0.113.10:2222\n\n'
chosen 77 'does not lead to 203.0.113.10' 'a host without its port' 'host=203.0.113.10\naddress=203.0.113.10:22\n\n'
chosen 77 'is not 203.0.113.10:22' "a host of the rule with another's address" 'host=203.0.113.10:22\naddress=203.0.113.11:22\n\n'
chosen 77 'is not 203.0.113.10:22' 'a host with another port' 'host=203.0.113.10:22\naddress=203.0.113.10:2222\n\n'
by_name='host=localhost:22\naddress=203.0.113.10:22\n\n'
noted="session=$id;rule=1;host=localhost:22;address=203.0.113.10:22"
chosen 77 'not connected to localhost:22' 'a name, without asp-upstream' "$by_name"
chosen 77 '203.0.113.10:22 is not localhost:22' 'a name that asp-upstream found elsewhere' "$by_name" --noted "${noted/113.10/113.11}"
chosen 77 'is not localhost:22' 'where it found another port' "$by_name" --noted "${noted%22}2222"
chosen 77 'not connected to localhost:22' 'while it is connected to another host' "$by_name" --noted "${noted/localhost/localhorst}"
chosen 77 'not connected to localhost:22' 'for another session' "$by_name" --noted "${noted/1;/2;}"
chosen 77 'not connected to localhost:22' 'before it died' "$by_name" --noted "$noted" --unheld
chosen 77 'is not localhost:22' 'by an older release, which noted no address' "$by_name" --noted "${noted%;*}"
chosen 65 'record: ' 'what it never writes' "$by_name" --noted garbage
chosen 77 'does not lead to' 'a host of the other rule' 'host=[2001:db8:b::10]:22\naddress=[2001:db8:b::10]:22\n\n'
chosen 65 'not address:port' 'a name for an address' 'host=203.0.113.10:22\naddress=localhost:22\n\n'
chosen 65 'host is missing' 'no host' 'address=203.0.113.10:22\n\n'
chosen 65 'proxy_port does not belong here' 'a port of its own' 'host=203.0.113.10:22\naddress=203.0.113.10:22\nproxy_port=22\n\n'
chosen 65 'is not name=value' 'garbage' 'garbage\n\n'
chosen 65 'longer than 8192' 'a line over 8 KiB' "$(printf 'host=%9000s' x)"
said < <(dialogue "$(request)" '')
is "$?/$(cat /opt/tmp/said)" '0/verified rule=1' 'stdin ends before a host is named: no pinhole, no complaint'
ok 'none of that has put a rule in force' closed

# --- open, and closed again --------------------------------------------------------------------

# opened [sshd's options]: a pinhole, in the background. Its stdin is fd $in, and
# what it says goes to /opt/tmp/said.
opened() {
  rm -f /opt/tmp/in /opt/tmp/said
  mkfifo /opt/tmp/in
  said "$@" < /opt/tmp/in &
  session=$!
  exec {in}> /opt/tmp/in
  request "${given[@]}" >&$in
  wait_for '^verified' && printf 'host=%s\naddress=%s\n\n' "${host:-203.0.113.10:22}" "${host:-203.0.113.10:22}" >&$in && wait_for '^open'
}
given=()
the_pinhole() { pgrep -x asp-pinhole; }

opened
is "$(cat /opt/tmp/said)" "verified rule=1
open session=$id host=203.0.113.10:22" 'a good request is verified, and opened'
is "$(rules)" "-A SALLYPORT-SESSIONS -s 198.51.100.10/32 -d 198.51.100.39/32 -p udp -m udp --dport 33001 -m comment --comment $id -j DNAT --to-destination 203.0.113.10:33001" 'the rule is in force'
is "$(sed 's/^\(pid\|holder\|started\|opened\)=.*/\1/' /run/sallyport/sessions/$id)" "session=$id
user=nobody
client=198.51.100.10:51512
proxy=198.51.100.39:33001
rule=1
upstream_user=nobody
host=203.0.113.10:22
proxy_port=33001
udp_port=33001
src_port_filtering=true
pid
holder
started
opened" 'the session is on record'
is "$(stat -c %a:%u /run/sallyport/sessions/$id)" 600:0 'for root alone'
$prefix/bin/asp-reap
is "$?/$(rules | wc -l)" 0/1 'asp-reap leaves the living alone'
exec {in}>&-
wait $session
is "$?/$(tail -n1 /opt/tmp/said)" '0/closed reason=EOF' 'stdin ends: closed'
ok 'rule, record and locks are gone' closed

given=("client=[2001:db8:c::10]:51512" "proxy=[2001:db8:a::39]:33001")
host=[2001:db8:b::10]:22
opened --client 2001:db8:c::10 --proxy 2001:db8:a::39
is "$(rules6)" "-A SALLYPORT-SESSIONS -s 2001:db8:c::10/128 -d 2001:db8:a::39/128 -p udp -m udp --dport 33001 -m comment --comment $id -j DNAT --to-destination [2001:db8:b::10]:33001" 'IPv6: the rule is in force'
is "$(ip6tables -t nat -S SALLYPORT-SNAT | grep '^-A.*-j SNAT')" "-A SALLYPORT-SNAT -s 2001:db8:c::10/128 -d 2001:db8:b::10/128 -p udp -m udp --dport 33001 -m conntrack --ctorigdst 2001:db8:a::39 --ctorigdstport 33001 -m comment --comment $id -j SNAT --to-source 2001:db8:b::2" \
  'and the one for the source address that aspera.conf gives the session'
like "$(cat /run/sallyport/sessions/$id)" 'bind_source_address=2001:db8:b::2' 'which is on record'
$prefix/bin/asp-reap
is "$?/$(rules6 | wc -l)/$(ip6tables -t nat -S SALLYPORT-SNAT | grep -c '^-A.*-j SNAT')" 0/1/1 'IPv6: asp-reap leaves both alone'
exec {in}>&-
wait $session
ok 'IPv6: closed' closed
is "$(ip6tables -t nat -S SALLYPORT-SNAT | grep -c '^-A.*-j SNAT')" 0 'with both its rules'
given=()

given=()
said --noted "$noted" < <(dialogue "$(request)" "$by_name")
is "$?/$(sed -n 2p /opt/tmp/said)" "0/open session=$id host=203.0.113.10:22" 'a host that is a name is where asp-upstream found it, whatever name servers say'
host=

opened
echo more >&$in
wait $session
is "$?/$(tail -n1 /opt/tmp/said)" '65/refused code=65 reason="nothing more is expected on stdin" logged=true' 'anything more on stdin: closed'
exec {in}>&-
ok 'and gone' closed

opened
kill -TERM "$(the_pinhole)"
wait $session
is "$(tail -n1 /opt/tmp/said)" 'closed reason=SIGTERM' 'SIGTERM: closed'
exec {in}>&-
ok 'and gone' closed

# Somebody has the firewall's lock, for longer than a session may wait: whatever ends a session ends its wait.
in_line() { grep -q "^[0-9]*: -> FLOCK .* $(the_pinhole) " /proc/locks; }
waits() {  # what ends it, what it says
  flock /run/sallyport/lock tail -f /dev/null &
  local locker=$! began
  until_true eval '! flock -n /run/sallyport/lock true'
  rm -f /opt/tmp/in /opt/tmp/said
  mkfifo /opt/tmp/in
  said --below 1 < /opt/tmp/in &
  session=$!
  exec {in}> /opt/tmp/in
  request >&$in
  wait_for '^verified' && printf 'host=203.0.113.10:22\naddress=203.0.113.10:22\n\n' >&$in
  ok "($1: it stands in line)" until_true in_line
  began=${EPOCHREALTIME/[.,]/}
  eval "$1"
  wait $session
  ok "$1: it leaves the line" test $(((${EPOCHREALTIME/[.,]/} - began) / 1000)) -lt 5000
  is "$(tail -n1 /opt/tmp/said)" "$2" 'says so'
  kill $(pgrep -x tail)
  wait $locker
  { exec {in}>&-; } 2> /dev/null
  ok 'and nothing is open' until_true closed
}
waits 'kill -TERM "$(the_pinhole)"' 'closed reason=SIGTERM'
waits 'exec {in}>&-' 'verified rule=1'
waits 'kill -KILL "$(cat /opt/tmp/holder)"' 'closed reason="SSH connection ended"'

opened --below 1
kill -KILL "$(cat /opt/tmp/holder)"
ok "the client's connection is gone: closed, though stdin is open" until_true closed
is "$(tail -n1 /opt/tmp/said)" 'closed reason="SSH connection ended"' 'says so'
exec {in}>&-

opened --below 2
kill -KILL "$(sed -n 's/^pid=//p' /run/sallyport/sessions/$id)"
ok 'the session process is gone: closed, though stdin is open' until_true closed
is "$(tail -n1 /opt/tmp/said)" 'closed reason="session process ended"' 'says so'
exec {in}>&-
wait_jobs

opened
: > /opt/tmp/second
status 77 "a session id that lives already, from another client: refused" \
  sshd --client 198.51.100.11 "$BASH" -c "{ sleep 0.2; printf 'session=$id\nuser=nobody\nclient=198.51.100.11:51512\nproxy=198.51.100.39:33001\n\n'; sleep 0.2; printf 'host=203.0.113.10:22\naddress=203.0.113.10:22\n\n'; sleep 2; } | $pinhole"
like "$out" 'refused code=77 reason="session .* exists already"' 'says why'
is "$(rules | wc -l)" 1 'the first is still open'
exec {in}>&-
wait $session

twice() {
  : > /opt/tmp/said
  rm -f /opt/tmp/first && mkfifo /opt/tmp/first && exec 9<> /opt/tmp/first
  $pinhole < /opt/tmp/first 9>&- | cat > /opt/tmp/said 9>&- &
  request >&9
  wait_for '^verified'
  request session=11111111-0000-4000-8000-000000000002 | $pinhole 9>&-
  local code=$?
  exec 9>&-
  return $code
}
status 77 'a second pinhole of one session: refused' \
  sshd "$BASH" -c "$(declare -f request wait_for twice); id=$id pinhole=$pinhole; twice"
like "$out" 'this session has a pinhole already' 'says why'
ok 'and nothing is open' until_true closed

# Somebody closed the firewall behind our back.
opened
iptables -t nat -F
exec {in}>&-
wait $session
is "$?/$(tail -n1 /opt/tmp/said)" '0/closed reason=EOF' 'a flushed firewall is not an obstacle to closing'
opened
is "$(rules | wc -l)" 1 'nor to the next opening, which mends the base'
iptables -t nat -F && iptables -F
given=(session=11111111-0000-4000-8000-000000000002 client=198.51.100.11:51512)
first_in=$in first=$session
opened --client 198.51.100.11
is "$(rules | wc -l)" 2 'mending puts back the sessions that live'
given=()
exec {in}>&-
exec {first_in}>&-
wait $session $first
ok 'both close' closed

# --- while logged in ------------------------------------------------------------------------
# A stopped process of sshd's does not notice that the client has gone.

declare -A of_stdin of_holder of_keeper
number=0
for what in stopped half-closed reset alive; do
  number=$((number + 1))
  address=198.51.100.1$((number % 3))
  given=(session=11111111-0000-4000-8000-00000000000$number client=$address:51512)

  [ $what != alive ] || { given=(session=11111111-0000-4000-8000-00000000000$number "client=[2001:db8:c::10]:51512" "proxy=[2001:db8:a::39]:33001"); address=2001:db8:c::10; }
  [ $what != alive ] || host='[2001:db8:b::10]:22'
  [ $what = alive ] && more=(--proxy 2001:db8:a::39) || more=()
  ok "($what: opens)" opened --below 2 --client $address "${more[@]}"
  of_stdin[$what]=$in of_holder[$what]=$(cat /opt/tmp/holder) of_keeper[$what]=$(cat /opt/tmp/keeper)
done
given=() host=
began=$SECONDS
kill -STOP "${of_holder[stopped]}"
kill -USR1 "${of_keeper[half-closed]}"
kill -KILL "${of_keeper[reset]}"
job=$(sed -n 's/^pid=//p' /run/sallyport/sessions/11111111-0000-4000-8000-000000000004)
kill -STOP "$job"  # as job control does
one_left() { [ "$(ls /run/sallyport/sessions | xargs)" = 11111111-0000-4000-8000-000000000004 ]; }
for _ in {1..6}; do until_true one_left && break; done
ok 'all whose SSH connection is stopped, half-closed or reset are closed' one_left
ok 'within 16 s' test $((SECONDS - began)) -le 16
for number in 1 2 3; do
  why="SSH connection is closed"
  [ $number != 1 ] || why="SSH connection's process is stopped"
  ok "the log says of $number: $why" until_true logged "ERR Closes the pinhole of session=11111111-0000-4000-8000-00000000000$number: $why"
done
is "$(rules | wc -l)/$(rules6 | wc -l)" 0/1 'their rules are gone; that of a session whose own process is stopped is not'
sleep 2
ok '(it goes on)' one_left
for what in stopped half-closed reset alive; do kill -CONT "${of_holder[$what]}"; kill -KILL "${of_holder[$what]}"; done 2> /dev/null
kill -CONT "$job"
for what in "${!of_stdin[@]}"; do eval "exec ${of_stdin[$what]}>&-"; done
ok 'all are closed' until_true closed

# asp-reap sees it, too: for sessions whose helper does not look.
opened --below 1
kill -STOP "$(the_pinhole)" "$(cat /opt/tmp/holder)"
pinhole_pid=$(the_pinhole)
{ sleep 3; kill -CONT "$pinhole_pid"; } &
waker=$!
status 0 'asp-reap, while one is stopped' $prefix/bin/asp-reap
ok 'closes it' until_true closed
ok 'and says why' until_true logged "asp-reap.*ERR Ends session=$id user=nobody: SSH connection's process is stopped"
kill -KILL "$(cat /opt/tmp/holder)"
exec {in}>&-
wait $waker $session

# --- beside others of its client -------------------------------------------------------------------

cat > /opt/tmp/others.py << 'EOF_OTHERS'
"""others.py COUNT HOST OPENED: so many sessions without a flow on record, of one group, for as long as stdin is open."""
import fcntl, os, sys
held = []
os.makedirs("/run/sallyport/clients/198.51.100.10", exist_ok=True)
for n in range(int(sys.argv[1])):
    id = f"22222222-0000-4000-8000-{n:012}"
    file = open(f"/run/sallyport/sessions/{id}", "w")
    fcntl.flock(file, fcntl.LOCK_EX)
    group = "group=22222222-0000-4000-8000-000000000000\n" if n else ""
    file.write(f"session={id}\nuser=nobody\nclient=198.51.100.10:{50000 + n}\nproxy=198.51.100.39:33001\nrule=1\n"
               f"upstream_user=nobody\nhost={sys.argv[2]}\nproxy_port=33001\nudp_port=33001\nsrc_port_filtering=true\n"
               f"pid=0\nholder={os.getpid()}\nstarted=2026-11-22T15:04:05Z\nopened={sys.argv[3]}\n{group}\n")
    file.flush()
    held.append(file)
    open(f"/run/sallyport/clients/198.51.100.10/{id}", "w").close()
print("held", flush=True)
sys.stdin.read()
EOF_OTHERS
# beside COUNT HOST OPENED: opens beside these; $waited is how long it took, in ms
beside() {
  local began
  coproc others { "$python" -IS /opt/tmp/others.py "$@"; }
  read -r -u "${others[0]}"
  began=${EPOCHREALTIME/[.,]/}
  opened || wait_for '^open'
  waited=$(((${EPOCHREALTIME/[.,]/} - began) / 1000))
}
alone_again() {
  local pid=$others_PID
  exec {in}>&-
  wait $session
  eval "exec ${others[1]}>&-"
  wait "$pid"
  $prefix/bin/asp-reap
}
beside 70 203.0.113.10:22 1
is "$(tail -n1 /opt/tmp/said)" "open session=$id host=203.0.113.10:22" 'beside 70 sessions without a flow, of the same client and server: open'
is "$(sed -n 's/^group=//p' /run/sallyport/sessions/$id)" 22222222-0000-4000-8000-000000000000 'and on record as one of their group'
ok 'those had their time, so it did not wait' test "$waited" -lt 3000
alone_again
is "$?/$(tail -n1 /opt/tmp/said)" '0/closed reason=EOF' 'closes, and does not linger: it never had a flow'
ok 'and all are gone' until_true closed

beside 1 203.0.113.11:2222 1
ok 'beside one without a flow at another server: open after a while' test "$waited" -ge 3000
is "$(grep -c '^group=' /run/sallyport/sessions/$id)" 0 'of no group'
alone_again

# --- callers who would keep it open --------------------------------------------------------------
# All of these leave the pinhole's stdin open, end the SSH connection, and want
# the pinhole closed all the same.

ends() {  # name
  local each
  kill -KILL "$(cat /opt/tmp/holder)"
  ok "$1: closed when the SSH connection ends" until_true closed
  # What is still there would disturb the next test.
  for each in $(the_pinhole); do kill -CONT "$each"; kill -KILL "$each"; done 2> /dev/null
  $prefix/bin/asp-reap
  until_true closed
}
cat > /opt/tmp/full.py << 'EOF_FULL'
"""full.py ROOM PROGRAM...: runs PROGRAM with a pipe for stdout that has ROOM bytes left, and stays, to keep it open and unread."""
import fcntl, os, signal, sys
r, w = os.pipe()
fcntl.fcntl(w, 1031, 8192)  # F_SETPIPE_SZ
os.write(w, b"x" * 4096)
os.write(w, b"x" * (4096 - int(sys.argv[1])))
if os.fork():
    signal.pause()
os.dup2(w, 1)
os.execvp(sys.argv[2], sys.argv[2:])
EOF_FULL
opened_some() { [ -n "$(rules)" ]; }
stuck() {  # room in the pipe
  rm -f /opt/tmp/in
  mkfifo /opt/tmp/in
  "$python" -IS /opt/tmp/full.py "$1" "$python" -IS /opt/tmp/sshd.py $pinhole < /opt/tmp/in 2> /dev/null &
  session=$!
  exec {in}> /opt/tmp/in
  request >&$in
  sleep 0.5
  printf 'host=203.0.113.10:22\naddress=203.0.113.10:22\n\n' >&$in
  ok 'stuck, but open' until_true opened_some
}
stuck 20  # enough for "verified rule=1", not for "open …"
ends 'a stdout that nobody empties'
kill $session
exec {in}>&-
wait_jobs

# The caller has the same open file, and makes it block again (F_SETFL).
sed 's/^    signal.pause()/    import time\n    while True:\n        fcntl.fcntl(w, fcntl.F_SETFL, 1)\n        time.sleep(0.0005)/' /opt/tmp/full.py > /opt/tmp/blocking.py
mv /opt/tmp/blocking.py /opt/tmp/full.py
stuck 20
ends 'a stdout that nobody empties, made to block again'
kill $session
exec {in}>&-
wait_jobs

cat > /opt/tmp/starve.py << 'EOF_STARVE'
"""starve.py REQUEST HOST PROGRAM...: a pinhole whose stdin is a socket that poll(2) calls readable, and on which read(2) waits for more."""
import os, signal, socket, sys, time
os.seteuid(65534)
ours, theirs = socket.socketpair()
os.seteuid(0)
if os.fork() == 0:
    os.dup2(theirs.fileno(), 0)
    os.execvp(sys.argv[3], sys.argv[3:])
def wait_for(word):
    while word not in open("/opt/tmp/said").read():
        time.sleep(0.01)
ours.send(sys.argv[1].encode() + b"\n\n")
wait_for("verified")
ours.send(sys.argv[2].encode() + b"\n\n")
wait_for("open")
theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1000)
ours.send(b"#")
signal.pause()
EOF_STARVE
: > /opt/tmp/said
"$python" -IS /opt/tmp/starve.py "$(request)" $'host=203.0.113.10:22\naddress=203.0.113.10:22' "$python" -IS /opt/tmp/sshd.py $pinhole 2> /dev/null | cat > /opt/tmp/said &
wait_for '^open'
sleep 0.1
ends 'a stdin that lets read wait'
kill "$(pgrep -f starve.p[y])"
wait_jobs

cat > /opt/tmp/tty.py << 'EOF_TTY'
"""tty.py PROGRAM...: runs PROGRAM as a foreground job of a terminal. What comes on stdin is typed; what it says goes to stdout."""
import os, signal, sys, termios, threading
master, slave = os.openpty()
shell = os.fork()
if shell == 0:
    os.setsid()
    import fcntl
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    mode = termios.tcgetattr(slave)
    mode[3] &= ~termios.ECHO
    mode[1] &= ~termios.OPOST
    termios.tcsetattr(slave, termios.TCSANOW, mode)
    for fd in 0, 1, 2:
        os.dup2(slave, fd)
    job = os.fork()
    if job == 0:
        os.setpgid(0, 0)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.closerange(3, 100)
        os.execvp(sys.argv[1], sys.argv[1:])
    while True:
        signal.pause()
os.close(slave)
def say():
    try:
        while True:
            os.write(1, os.read(master, 4096))
    except OSError:
        pass
threading.Thread(target=say, daemon=True).start()
while typed := os.read(0, 4096):
    os.write(master, typed)
os.kill(shell, signal.SIGKILL)
EOF_TTY
typed() {  # name, keys once it is open
  : > /opt/tmp/said
  rm -f /opt/tmp/in
  mkfifo /opt/tmp/in
  "$python" -IS /opt/tmp/tty.py "$python" -IS /opt/tmp/sshd.py --below 1 $pinhole < /opt/tmp/in > /opt/tmp/said 2> /dev/null &
  session=$!
  exec {in}> /opt/tmp/in
  sleep 0.3
  request >&$in
  wait_for '^verified' && printf 'host=203.0.113.10:22\naddress=203.0.113.10:22\n\n' >&$in && wait_for '^open'
  is "$(rules | wc -l)" 1 "$1: open"
  printf '%b' "$2" >&$in
  sleep 0.2
  ends "$1"
  exec {in}>&-
  wait_jobs
}
typed 'from a terminal' ''
typed 'stopped by Ctrl-Z' '\032'
typed 'on a terminal that is held by Ctrl-S' '\023'
typed 'killed by Ctrl-\\' '\034'

# A file of the caller's own file system can block for ever, in ways that no
# signal ends.
: > /opt/tmp/file
status 77 'stdout that is a file: refused' bash -c "'$python' -IS /opt/tmp/sshd.py $pinhole < <(sleep 0.3) > /opt/tmp/file"
status 77 'stdin that is a file: refused' sshd $pinhole < /opt/tmp/sshd.py

done_testing
