#!/bin/bash
# The control connection through the proxy: bytes, ends, statuses, deaths.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside inside1
proxy_allow 'bash -c %s' 'cat' 'sleep %d' 'wc -c' 'echo %s ...'
no_rules() { [ "$(proxy_rules)" = 0 ]; }
through() {  # runs COMMAND-LINE on inside1 through the proxy, as bear
  on outside -u bear ssh -p 33001 "bear@$SQUASH" "$1"
}
remote() { through "bash -c $(printf "'%s'" "$1")"; }

# Statuses and streams -----------------------------------------------------------
for code in 0 3 255; do
  status "$code" "exit status $code comes back" remote "exit $code" < /dev/null
done
status 143 "a remote command killed by SIGTERM gives 128+15" remote 'kill -TERM $$' < /dev/null 2>&1
status 137 "one killed by SIGKILL 128+9" remote 'kill -KILL $$' < /dev/null
status 0 "stderr stays apart" remote 'echo to stdout; echo to stderr >&2' < /dev/null
is "$out" "to stdout" "stdout has what belongs there"
is "$err" "to stderr" "and stderr the rest"
status 0 "words arrive as the client quoted them" through "echo -n 'two  words' \"a'b\" c\\\"d 'äö'" < /dev/null
is "$out" "two  words a'b c\"d äö" "no word is split, joined or expanded on the way"
status 0 "the remote side sees no client variables but TERM" remote 'env | cut -d= -f1 | sort | tr "\n" " "' < /dev/null
unlike "$out" 'SUDO|ASPERA|SSH_AUTH' "(nothing of the proxy's environment)"

# EOF, each way ----------------------------------------------------------------------
is "$(head -c 1000 /dev/zero | through 'wc -c')" 1000 "EOF from the client reaches the command, and its output still comes back"
remote 'exec 1>&-; cat > /tmp/after-eof' < <(sleep 0.3; echo late)
ok "a command that closes its output still gets its input" wait_until 5 on inside1 grep -qx late /tmp/after-eof
started=$(date +%s%N)
remote 'exec 1>&- 2>&-; sleep 2' < /dev/null | cat
closed=$(( ($(date +%s%N) - started) / 1000000 ))
ok "and still runs to its end" test "$closed" -ge 2000

# Full windows both ways -----------------------------------------------------------
on outside -u bear bash -c 'head -c 100M /dev/urandom > big'
sent=$(on outside sha256sum < "$(lab_root outside)/home/bear/big")
on outside -u bear bash -c "ssh -p 33001 bear@$SQUASH cat < big | sha256sum" > "$TMPDIR/sum"
is "$(cat "$TMPDIR/sum")" "$sent" "100 MB each way at once arrive whole"

# Deaths -------------------------------------------------------------------------------
alive() { [ -n "$(lab_pids inside1 "$1" xfer)" ]; }
dead() { ! alive "$1"; }
# What one second is, on a machine that has other work as well: twice as long as a
# whole session takes, in addition.
started=$(date +%s%N)
remote true < /dev/null
second=$((1 + 2 * ($(date +%s%N) - started) / 1000000000))
proxy_session idle outside bear "$SQUASH" 'sleep 1000'
ok "(a command that is idle)" wait_until 5 alive sleep
kill -KILL "${proxy_pid[idle]}"
ok "a client killed while idle: its remote command ends within 1 s" wait_until $second dead sleep
ok "and its rule is gone" wait_until $second no_rules
proxy_end idle 2> /dev/null

proxy_session vanish outside bear "$SQUASH" 'sleep 1000'
ok "(a server that serves)" wait_until 5 alive sleep
ok "(all that serves is killed)" lab_cut inside1
proxy_end vanish
ok "a server killed gives the client a failure" test "$proxy_status" -ne 0
like "$(cat "$TMPDIR/vanish.err")" '^The connection to the server behind this proxy was lost\.$' "and one line that says so" 
ok "and the rule is gone" wait_until $second no_rules

# A terminal ----------------------------------------------------------------------------
cat > "$TMPDIR/terminal.py" << 'END'
import fcntl, os, pty, select, signal, struct, sys, termios, time
def size(fd, rows, columns): fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
pid, master = pty.fork()
if pid == 0:
    os.environ["TERM"] = "xterm-256color"
    time.sleep(0.2)
    os.execvp("ssh", ["ssh", "-tt"] + sys.argv[1:])
size(master, 30, 100)
text, resized, end = b"", False, time.time() + 20
while time.time() < end:
    if not select.select([master], [], [], 0.2)[0]: continue
    try: got = os.read(master, 4096)
    except OSError: break
    if not got: break
    text += got
    if b"ready" in text and not resized:
        resized = True
        size(master, 41, 111)
        os.kill(pid, signal.SIGWINCH)
sys.stdout.buffer.write(text)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
cp "$TMPDIR/terminal.py" "$(lab_root outside)/tmp/terminal.py"
status 5 "a terminal is carried through" on outside -u bear python3 /tmp/terminal.py -p 33001 "bear@$SQUASH" \
  "bash -c 'trap \"stty size; exit 5\" WINCH; stty size; echo \"\$TERM\" ready; for i in 1 2 3 4 5 6 7 8; do sleep 0.5; done'"
like "$out" '30 100' "with its size"
like "$out" 'xterm-256color ready' "and type"
like "$out" '41 111' "and changes of size"
status 1 "without one there is none upstream" remote 'test -t 0 || exit 1' < /dev/null

# Host keys ---------------------------------------------------------------------------
known=$(lab_root dmz)$LAB_PREFIX/etc/known_hosts
cp "$known" "$TMPDIR/known"
: > "$known"
status 76 "an internal server whose key is not known is refused" through cat < /dev/null
unlike "$err" '203\.0\.113|SHA256' "and the client is told no internals"
like "$(lab_log dmz | grep 'ERR ' | tail -1)" "203\.0\.113\.10.*SHA256:" "but the administrator is: host and fingerprint"
cat "$TMPDIR/known" > "$known"

# No rule for the address --------------------------------------------------------------
status 77 "an address of the proxy without a rule is refused" on outside -u bear ssh -p 33001 -o StrictHostKeyChecking=no "bear@$DMZ" cat < /dev/null
lab_sshd inside1 stop
status 69 "a server that is down gives 69" through cat < /dev/null
is "$err" "The server behind this proxy cannot be reached." "and one line"
lab_sshd inside1 start
ok "nothing is left" wait_until 2 no_rules

# IPv6: what depends on the addresses ------------------------------------------------------
lab_family 6
proxy_allow 'bash -c %s' 'cat' 'sleep %d'
status 3 "exit status 3 comes back" remote 'echo out; echo err >&2; exit 3' < /dev/null
is "$out,$err" "out,err" "and both streams"
like "$(remote 'echo $SSH_CONNECTION' < /dev/null)" "^$DMZ_LAN [0-9]+ $INSIDE1 22\$" "over IPv6 inside, too"
on outside -u bear bash -c "ssh -p 33001 bear@$SQUASH cat < big | sha256sum" > "$TMPDIR/sum"
is "$(cat "$TMPDIR/sum")" "$sent" "100 MB each way at once arrive whole"
proxy_session idle outside bear "$SQUASH" 'cat'
ok "(a command that is idle)" wait_until 5 alive cat
kill -KILL "${proxy_pid[idle]}"
ok "a client killed while idle: its remote command ends within 1 s" wait_until $second dead cat
ok "and its rule is gone" wait_until $second no_rules
proxy_end idle 2> /dev/null
grep -v "$INSIDE1" "$TMPDIR/known" > "$known"
status 76 "an internal server whose key is not known under its address is refused" through cat < /dev/null
like "$(lab_log dmz | grep 'ERR ' | tail -1)" "server $(literally "$INSIDE1_AT"):22: .*$INSIDE1.*SHA256:" "and the administrator is told which"
sed "s/$INSIDE1,//" "$TMPDIR/known" > "$known"
awk -v address="$INSIDE1" '/inside1/ { $1 = address; print }' "$TMPDIR/known" >> "$known"
status 0 "its address alone on a line will do" through cat < /dev/null
sed "s/$INSIDE1/[$INSIDE1]:2222/" "$TMPDIR/known" > "$known"
on inside1 /usr/sbin/sshd -o Port=2222 -o PidFile=/run/sshd-2222.pid
wait_until 10 lab_listens inside1 2222
on dmz sed -i "s/\[$INSIDE1\]:22</[$INSIDE1]:2222</" "$LAB_PREFIX/etc/aspera.conf"
status 0 "so will [address]:port, at another port" through cat < /dev/null
cat "$TMPDIR/known" > "$known"
status 76 "and only that" through cat < /dev/null
status 77 "an address of the proxy without a rule is refused" on outside -u bear ssh -p 33001 -o StrictHostKeyChecking=no "bear@$DMZ" cat < /dev/null
lab_sshd inside1 stop
proxy_allow 'cat'
status 69 "a server that is down gives 69" through cat < /dev/null
lab_sshd inside1 start
ok "nothing is left" wait_until 2 no_rules
done_testing
