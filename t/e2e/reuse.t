#!/bin/bash
# <upstream_reuse>: a connection to an internal server that a user's next session
# uses again: when it does, when it does not, and what is left when something dies.
uptime=86400  # a connection that is ten minutes old
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside inside1 inside2
root=$(lab_root dmz)
key=$LAB_PREFIX/etc/ssh_keys/id_ed25519
conf=$LAB_PREFIX/etc/aspera.conf
proxy() { on dmz "$LAB_PREFIX/bin/asperaproxy" "$@"; }
rule() { lab_rule "$1" "$2" "$key" xfer | sed "s|<keyfile>|$3&|"; }
configure() {  # configure [HOST]: the first rule keeps connections, the second does not
  {
    echo '<CONF version="2"><server><rproxy><enabled>true</enabled><rules>'
    rule "$SQUASH" "${1-$INSIDE1}:22" '<upstream_reuse>true</upstream_reuse>'
    rule "$INDIVIDUAL" "$INSIDE1:22" ''
    echo '</rules></rproxy></server><default><aspshell_commands>'
    printf '<command udp="false">%s</command>' 'bash -c %s' cat 'sleep %d'
    echo '</aspshell_commands></default></CONF>'
  } | lab_config
}
configure
as() { on outside -u "$1" ssh -p 33001 "$1@${3-$SQUASH}" "bash -c $(printf "'%s'" "$2")"; }
port() { as "${1-bear}" 'echo ${SSH_CONNECTION% * *}' "${2-$SQUASH}" < /dev/null | awk '{ print $2 }'; }
kept() { on dmz find /run/sallyport/keepers -type f -name '????????-*-????????????' 2> /dev/null | wc -l; }
dialers() { lab_pids dmz asp-dial | wc -l; }
none() { [ "$(dialers)" = 0 ]; }
same() { local now; now=$(port "${3-bear}"); tap_result "$([ -n "$now" ] && [ "$now" = "$1" ]; echo $?)" "$2" || diag "was $1, now $now"; }
other() {  # other NAME: the next session has a new connection; $last is its port
  local now
  now=$(port)
  tap_result "$([ -n "$now" ] && [ "$now" != "$last" ]; echo $?)" "$1" || diag "was $last, now '$now'"
  last=$now
}

# --- reused --------------------------------------------------------------------------------------

last=$(port)
same "$last" 'the next session of the same user and rule goes by the same connection'
same "$last" 'and the next'
is "$(lab_log dmz | grep -c 'LOG Established SSH connection with server .* reused=true')" 2 'the log says so'
is "$(lab_log inside1 | grep -c 'Accepted publickey for xfer')" 1 'the internal server saw one login'
is "$(kept) $(dialers)" '1 1' 'one process keeps it'
keeper=$(lab_pids dmz asp-dial)
is "$(on dmz ps -o user= -p "$keeper") $(on dmz readlink "/proc/$keeper/fd/"{0,1,2} | xargs)" 'sallyport-dial /dev/null /dev/null /dev/null' 'under its own account, with nothing of the session'
first=$(port bear "$INDIVIDUAL")
isnt() { [ -n "$1" ] && [ "$1" != "$2" ]; tap_result $? "$3" || diag "got '$1', and that was not wanted"; }
isnt "$(port bear "$INDIVIDUAL")" "$first" 'a rule without <upstream_reuse> keeps nothing'
isnt "$(port bobcat)" "$last" "another user does not get a user's connection"
same "$last" 'which is still there'

head -c 300K /dev/urandom > "$TMPDIR/data"
wrong=0
for _ in {1..10}; do
  on outside -u bear ssh -p 33001 "bear@$SQUASH" cat < "$TMPDIR/data" | cmp -s - "$TMPDIR/data" || wrong=$((wrong + 1))
done
is "$wrong" 0 'ten reuses: each byte comes back'
for code in 0 3 255; do status "$code" "exit status $code comes back" as bear "exit $code" < /dev/null; done
status 143 'and a signal as 128+15' as bear 'kill -TERM $$' < /dev/null
status 0 'stderr stays apart' as bear 'echo out; echo err >&2' < /dev/null
is "$out $err" 'out err' '(each in its own)'
is "$(on outside -u bear bash -c "ssh -tt -p 33001 bear@$SQUASH \"bash -c 'tty >&2; echo \\\$TERM'\" < /dev/null 2>&1" | grep -c /dev/pts)" 1 'a terminal is there when the client has one'
same "$last" 'after all that it is the same connection'

# --- with UDP ------------------------------------------------------------------------------------

# Each session has its own pinhole, whoever's connection it goes by.
on outside -u bear dd if=/dev/urandom of=/home/bear/file bs=1M count=8 status=none
sum=$(on outside -u bear sha256sum /home/bear/file | cut -d' ' -f1)
for n in 1 2; do
  ok "asp-cp, transfer $n" on outside -u bear timeout 60 asp-cp -P 33001 /home/bear/file "bear@$SQUASH:/tmp/copy$n"
  is "$(on inside1 sha256sum "/tmp/copy$n" | cut -d' ' -f1)" "$sum" '  each byte arrives'
  is "$(proxy_rules) $(proxy_flows | wc -l)" '0 0' '  its rule and its flow are gone, the connection is not'
done
is "$(lab_log dmz | grep -c 'LOG Setup UDP forwarding between')" 2 'each had a flow of its own'
is "$(port)" "$last" 'all by the same connection'

# --- two at once ------------------------------------------------------------------------------------

mkfifo "$TMPDIR/hold"
as bear 'echo ${SSH_CONNECTION% * *}; read -r x' < "$TMPDIR/hold" > "$TMPDIR/long" &
long=$!
exec {hold}> "$TMPDIR/hold"
wait_until 20 test -s "$TMPDIR/long"
second=$(port)
echo >&$hold
exec {hold}>&-
wait $long
is "$(awk '{ print $2 }' "$TMPDIR/long")" "$last" '(a long session has the connection)'
isnt "$second" "$last" 'a session beside it gets another one'
ok "both are kept, and bobcat's" test "$(kept)" -ge 3
many=()
for _ in {1..6}; do as bear 'sleep 2' < /dev/null & many+=($!); done
wait "${many[@]}"
four=$(on dmz find /run/sallyport/keepers/bear.1 -name '????????-*-????????????' | wc -l)
ok 'of more at once, at most four are kept' test "$four" -ge 2 -a "$four" -le 4

# --- in turn, and for so long ----------------------------------------------------------------------------

proxy restart > /dev/null
configure
on dmz sed -i "0,/<host>.*<\/host>/s||<hosts><host>$INSIDE1:22</host><host>$INSIDE2:22</host></hosts>|" "$conf"
logins() { for host in inside1 inside2; do lab_log $host | grep -c 'Accepted publickey for xfer'; done | xargs; }
before=$(logins)
is "$(for _ in {1..6}; do as bear hostname < /dev/null; done | sort | uniq -c | xargs)" '3 inside1 3 inside2' 'two hosts are served in turn, though connections are kept'
is "$(logins)" "$(awk '{ print $1 + 1, $2 + 1 }' <<< "$before")" 'by one login each'
configure
proxy restart > /dev/null
last=$(port)
# aged SECONDS: as if the connection had been made then
aged() {
  local note now
  note=$(find "$root/run/sallyport/keepers" -type f -name '????????-*-????????????')
  now=$(cut -d. -f1 /proc/uptime)
  sed "s/^since=.*/since=$((now - $1))/" "$note" > "$TMPDIR/note"
  cat "$TMPDIR/note" > "$note"
}
aged 602
other 'a connection is used for no longer than ten minutes'
proxy restart > /dev/null
last=$(port)
aged 500
same "$last" '(but for as long as that)'

# --- never when something changed -----------------------------------------------------------------------

fresh() { proxy restart > /dev/null; last=$(port); }
fresh
is "$(dialers)" 1 'a restart ended them'
touch "$root$conf"; other 'aspera.conf was touched: a new connection'
cp -p "$root$conf" "$root$conf.new" && mv "$root$conf.new" "$root$conf"; other 'aspera.conf was replaced by its like'
touch "$root$LAB_PREFIX/etc/known_hosts"; other 'known_hosts was touched'
touch "$root$key"; other 'the key was touched'
chmod 400 "$root$key"; other 'its mode was changed'
cp -p "$root$LAB_PREFIX/bin/asp-dial" "$root$LAB_PREFIX/bin/new" && mv "$root$LAB_PREFIX/bin/new" "$root$LAB_PREFIX/bin/asp-dial"; other 'the suite was installed anew'
configure "$INSIDE2"
is "$(as bear hostname < /dev/null)" inside2 'another host in the rule: it goes there'
configure
fresh
on dmz gpasswd -d bear sallyport > /dev/null
nok 'who is no longer in the group has no session' as bear true < /dev/null
on dmz gpasswd -a bear sallyport > /dev/null
fresh
proxy fault "$INSIDE1" > /dev/null
status 75 'a server out of service gets no session by a connection that is there' as bear true < /dev/null
proxy heal "$INSIDE1" > /dev/null
fresh
proxy drain > /dev/null
status 75 'nor does a drained proxy give one' as bear true < /dev/null
proxy undrain > /dev/null
as bear 'echo $$; read -r x' < <(sleep 1; echo) > "$TMPDIR/drained" &
long=$!
wait_until 5 test -s "$TMPDIR/drained"
proxy drain > /dev/null
wait $long
ok 'a session that ends while the proxy is drained leaves nothing' wait_until 10 none
proxy undrain > /dev/null
last=$(port)
proxy stop > /dev/null
ok 'a stopped proxy keeps none' wait_until 10 none
is "$(kept)" 0 '(nor anything of it)'
proxy start > /dev/null

# --- stale --------------------------------------------------------------------------------------------------

last=$(port)
on inside1 iptables -w -I INPUT -p tcp --sport "$last" -j DROP
is "$(on outside -u bear ssh -p 33001 "bear@$SQUASH" cat < "$TMPDIR/data" | sha256sum)" "$(sha256sum < "$TMPDIR/data")" 'a connection that has died without a word is noticed, no byte is lost'
on inside1 iptables -w -D INPUT -p tcp --sport "$last" -j DROP
other 'and another was made'
ok '(all that serves at inside1 is killed)' lab_cut inside1
ok 'one that the server ended ends its keeper' wait_until 3 none
other 'the next session has another'

# --- kill -9 ----------------------------------------------------------------------------------------------------

kill -KILL "$(lab_pids dmz asp-dial)"
other 'a keeper killed while it waits: the next session has a new connection'
for victim in asp-dial asp-upstream ascp_rproxy; do
  rm -f "$TMPDIR/out"
  on outside -u bear ssh -p 33001 "bear@$SQUASH" "bash -c 'echo here; exec sleep 600'" < /dev/null > "$TMPDIR/out" 2> /dev/null &
  long=$!
  wait_until 5 grep -q here "$TMPDIR/out"
  kill -KILL "$(lab_pids dmz $victim)"
  wait $long
  isnt $? 0 "$victim killed in a session: the client gets a failure"
  # Who is killed says no farewell, as an ssh that is killed; the command then learns
  # of it when it writes.
  [ $victim != asp-dial ] || on inside1 pkill -u xfer -x sleep
  gone() { [ -z "$(lab_pids inside1 sleep xfer)$(lab_pids dmz asp-dial)$(lab_pids dmz asp-upstream)" ]; }
  ok 'its command and connection end' wait_until 5 gone
  other 'and the next session is well'
done
on dmz find /run/sallyport/keepers -type s -exec touch -d '2 minutes ago' {} +
kill -KILL "$(lab_pids dmz asp-dial)"
ok 'the process that keeps is gone' wait_until 2 none
on dmz "$LAB_PREFIX/bin/asp-reap"
is "$(on dmz find /run/sallyport/keepers -mindepth 1)" '' 'asp-reap removes what the dead left'

# --- whose --------------------------------------------------------------------------------------------------------

# A note names a process that has another's number by now. Who was handed the lock of a
# keeper can hold it for as long as they want.
last=$(port)
on dmz -u sallyport-dial sleep 600 < /dev/null &
wait_until 5 lab_pids dmz sleep sallyport-dial
sleeper=$(lab_pids dmz sleep sallyport-dial)
note=$(find "$root/run/sallyport/keepers" -type f -name '????????-*-????????????')
keeper=$(lab_pids dmz asp-dial)
in_lab=$(awk '/^NSpid/ { print $NF }' "/proc/$sleeper/status")
sed "s/^pid=.*/pid=$in_lab/" "$note" > "$TMPDIR/note" && cat "$TMPDIR/note" > "$note"
proxy restart > /dev/null
ok 'a process that has the number of a keeper is not taken for it' kill -0 "$sleeper"
kill -KILL "$sleeper" "$keeper"

last=$(port)
port bobcat > /dev/null
is "$(dialers)" 2 '(two users, two connections)'
on dmz "$LAB_PREFIX/bin/asp-deluser" bobcat 2> /dev/null
is "$(dialers)" 1 'asp-deluser ends those of that user'
same "$last" 'and no others'
for who in mallory sallyport-dial; do
  like "$(on dmz -u $who find /run/sallyport/keepers 2>&1)" 'Permission denied' "$who cannot look for connections"
done
cat > "$root/tmp/visit.py" << 'END_PYTHON'
import array, os, socket, subprocess, sys
folder, uid, dial = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
listener = socket.socket(socket.AF_UNIX)
listener.bind(folder + "/socket")
listener.listen()
os.chmod(folder + "/socket", 0o777)
keeper = subprocess.Popen([*dial[:1], "-R", str(listener.fileno()), *dial[1:]], pass_fds=[listener.fileno()])
if uid:
    os.setuid(uid)
for _ in range(2):
    visit = socket.socket(socket.AF_UNIX)
    visit.connect(folder + "/socket")
    null = os.open("/dev/null", os.O_RDWR)
    try:
        visit.sendmsg([b"command=true\n\n"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [null] * 3))])
    except BrokenPipeError:
        pass  # turned away already
    heard = b""
    while b"ended" not in heard:
        try:
            got = visit.recv(4096)
        except ConnectionResetError:
            break
        if not got:
            break
        if b"connected" in got:
            visit.send(b"run\n")
        heard += got
    print(" ".join(line.split()[0] + (" reused" if "reused=true" in line else "") for line in heard.decode().splitlines()) or "nothing")
    visit.close()
if not uid:
    print("exit", keeper.wait(10))
END_PYTHON
on dmz install -d -m 755 /tmp/a /tmp/b
visit() { on dmz timeout 20 python3 /tmp/visit.py "$@" "$LAB_PREFIX/bin/asp-dial" -w 1 -i "$key" -l xfer "$INSIDE1" 2>&1 | xargs; }
is "$(visit /tmp/a 0)" 'reached verified connected running ended connected reused running ended exit 0' 'asp-dial -R serves root, until nobody came for -w seconds'
is "$(visit /tmp/b "$(on dmz id -u mallory)")" 'nothing nothing' 'and nobody else, even where he could reach it'
done_testing
