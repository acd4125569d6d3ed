#!/bin/bash
# asp-forward against a server of the node API's shape (t/lib/node_server.py) and a
# real sshd on loopback, in network, mount and process namespaces of its own.
. "${0%/*}/../lib/alone.sh"
top=$PWD
W=$tmp/work
mkdir "$W" && cd "$W" || exit

# --- the proxies, and an sshd ------------------------------------------------

mkdir /run/sshd
mkdir bin far && cp "$top/${BUILD:-build}"/bin/asp-{cp,forward} bin/
ssh-keygen -q -t ed25519 -N '' -f host_key
ssh-keygen -q -t ed25519 -N '' -f other_key
ssh-keygen -q -t ed25519 -N '' -f key
cp key.pub authorized
cat > sshd_config << END
Port 2222
HostKey $W/host_key
AuthorizedKeysFile $W/authorized
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
SetEnv PATH=$W/bin:/usr/bin:/bin ASP_CP_UDP_PORT=5000
END
cat > ssh_config << END
Host *
  User root
  IdentityFile $W/key
  UserKnownHostsFile $W/known_hosts
  StrictHostKeyChecking yes
  LogLevel ERROR
  BatchMode yes
  # ssh's first choice takes ten times as long, and is not what is tested.
  KexAlgorithms curve25519-sha256
END
/usr/sbin/sshd -f sshd_config -E sshd.log || { cat sshd.log; echo 'Bail out! sshd does not start'; exit 1; }

. "$top/t/lib/node_proxy.sh"
certificate real
certificate other
proxy http 127.0.0.1 2222
proxy six ::1 2222
proxy tls 127.0.0.1 2222 real
proxy impostor 127.0.0.1 2222 other
url() { case $1 in tls | impostor) printf dnats ;; *) printf dnat ;; esac; printf '://alice@127.0.0.1:%s' "$(cat "$1/port")"; }
log() { cut -d' ' -f1-2 "${1:-http}/log" | sed 's|/[0-9a-f-]\{36\}$|/ID|' | xargs; }
forget() { : > "${1:-http}/log"; }
has_line() { grep -q -- "$1" "$2"; }
renewals() { [ "$(grep -c '^PUT' "${2:-http}/log")" -ge "$1" ]; }

export ASPERA_PROXY_PASS=sesame:9
plain() { bin/asp-forward -q --proxy "$(url http)" "$@"; }
to() { local name=$1; shift; plain --to "$name.example.com" "$@"; }

# --- usage ---------------------------------------------------------------------

while IFS='|' read -r name words; do
  status 64 "$name: usage" eval "bin/asp-forward $words"
  unlike "$err" 'secret' 'and no password in the message'
done << 'END'
nothing|
no command|--proxy dnat://alice:secret@h --to x
no destination|--proxy dnat://alice:secret@h -- true
no proxy|--to x -- true
the proxy itself|--proxy dnat://alice:secret@h --to localhost -- true
no scheme|--proxy alice:secret@h --to x -- true
another scheme|--proxy https://alice:secret@h --to x -- true
a bare IPv6 address|--proxy dnat://alice:secret@2001:db8::1 --to x -- true
a bad escape|--proxy dnat://alice:secret%4@h --to x -- true
a control character|--proxy dnat://alice:secret%0a@h --to x -- true
a path|--proxy dnat://alice:secret@h/path --to x -- true
a colon in the user|--proxy dnat://al%3aice:secret@h --to x -- true
two modes|--proxy dnat://h --to x --print -- true
an unknown option|--proxy dnat://h --password=secret --to x -- true
a destination that is none|--proxy dnat://h --to 'x y' -- true
a destination with its port|--proxy dnat://h --to x:22 -- true
SSH port 0|--proxy dnat://h --to x --ssh-port 0 -- true
101 UDP ports|--proxy dnat://h --to x --udp-port 1000:1100 -- true
a word that means nothing|--proxy dnat://h --to x -- echo %q
a percent sign at the end|--proxy dnat://h --to x -- echo 100%
a fingerprint that is none|--proxy dnats://h --fingerprint 12:34 --to x -- true
a fingerprint for clear text|--proxy dnat://h --fingerprint $(printf %064d) --to x -- true
a lease that is none|--proxy dnat://h --release ../../x
END
is "$(log)" '' 'and none of it asked for anything'

# --- by hand --------------------------------------------------------------------

status 0 'a lease is printed' to renew-60 --ssh-port 33001 --udp-port 33001:33010 --print
like "$out" $'^lease=[0-9a-f-]{36}\nhost=127.0.0.1\nssh_port=2222\nudp_port=5000\nrenew_seconds=60\nexpires=2026-11-22T15:07:05Z$' 'as a record'
is "$(log)" 'POST /proxy/leases' 'and kept'
like "$(cat http/log)" '"destination":"renew-60.example.com".*"ssh_port":33001.*"udp_port":"33001:33010"' 'it is what was asked for'
id=$(sed -n 's/^lease=//p' <<< "$out")
status 0 'it is renewed' plain --renew "$id" --json
is "$(python3 -c 'import json, sys; d = json.load(sys.stdin); print(d["lease"], d["renew_seconds"])' <<< "$out")" "$id 60" 'and printed as JSON'
status 0 'and given back' plain --release "$id"
is "$out$err" '' 'without a word'
status 1 'once' plain --release "$id"
like "$err" '^asp-forward: give back .*: There is no such lease\.$' 'then the proxy has none'
capture bin/asp-forward --proxy "$(url http)" --to renew-60 --print
like "$err" 'dnat:// is not encrypted.*to be renewed every 60 s \(--renew [0-9a-f-]{36}\); give it back with --release' 'clear text is warned of, and the next steps are told'
status 0 'several UDP ports are printed as a range' to range --print
like "$out" $'\nudp_port=5000:5009\n.*\nexpires=$' 'and a lease without a time has none'
forget
status 74 'a lease that cannot be printed' eval 'to x --print > /dev/full'
is "$(log)" 'POST /proxy/leases DELETE /proxy/leases/ID' 'is given back'

# --- a command ------------------------------------------------------------------

forget
status 7 'a command has its own status' to x -- sh -c 'echo "$@"; exit 7' -- %h:%P/%O %H %%h 'a b' '$HOME'
is "$out" '127.0.0.1:2222/5000 x.example.com %h a b $HOME' 'and the lease in its words, without a shell'
is "$err" '' 'and nothing else is said'
is "$(log)" 'POST /proxy/leases DELETE /proxy/leases/ID' 'the lease is taken, and given back'
forget
status 143 'a command that a signal kills: 128 + n' to x -- sh -c 'kill -TERM $$'
is "$(log)" 'POST /proxy/leases DELETE /proxy/leases/ID' 'given back'
forget
printf '#!/no/such/interpreter\n' > bad && chmod 755 bad
status 71 'a command that cannot be run' to x -- ./bad
is "$(log)" 'POST /proxy/leases DELETE /proxy/leases/ID' 'given back'
forget
status 71 'a command that is not there' to x -- no-such-command
like "$err" '^asp-forward: run no-such-command: not found in PATH$' 'is said'
is "$(log)" '' 'before a lease is asked for'
status 0 'standard input is the command'"'"'s' eval 'to x -- cat <<< hello'
is "$out" hello 'all of it'
export ASPERA_PROXY=dnat://bob:secret@192.0.2.1
status 0 'its environment is ours' to server --ssh-port 33001 -- env
like "$out" $'(^|\n)ASP_CP_HOST_KEY_ALIAS=\\[server.example.com\\]:33001(\n|$)' 'with the name of the host key'
unlike "$out" 'sesame|secret' 'but no password'
unset ASPERA_PROXY
status 0 'for port 22' to server -- env
like "$out" $'(^|\n)ASP_CP_HOST_KEY_ALIAS=server.example.com(\n|$)' 'that is the bare name'
descriptors() { "$@" python3 -c 'import os; print(*sorted(map(int, os.listdir("/proc/self/fd"))))' 4< /dev/null; }
given=$(descriptors env)
like "$given" '^0 1 2 ' '(descriptors can be counted)'
is "$(descriptors to x --)" "$given" 'it has the descriptors that we were given, and none of ours'
ASPERA_PROXY=$(url http) status 0 'the URL may come from the environment' bin/asp-forward -q --to x -- true

# --- renewals --------------------------------------------------------------------

export -f wait_until renewals has_line
forget
status 0 'a lease is renewed on time, again and again' to renew-1 -- bash -c 'wait_until 20 renewals 3'
is "$err" '' 'without a word'
like "$(log)" '^POST /proxy/leases (PUT /proxy/leases/ID ){3,}DELETE /proxy/leases/ID$' 'and given back'
forget
status 0 'a renewal that fails is tried again' to shaky-1 -- bash -c 'wait_until 20 renewals 4'
like "$err" $'^asp-forward: renew lease [^ ]*: One moment.; trying again\nasp-forward: lease [^ ]* is renewed again$' 'it is said once, and the end of it'
forget
status 5 'a lease that is lost leaves the command alone' to lost-1 -- bash -c 'wait_until 20 renewals 1; sleep 1.5; exit 5'
like "$err" '^asp-forward: lease [^ ]* is over: the proxy forwards nothing more for it$' 'it is said once'
is "$(log)" 'POST /proxy/leases PUT /proxy/leases/ID' 'nothing more is asked for'
forget
status 0 'a user who is barred' to barred-1 -- bash -c 'wait_until 20 renewals 1; sleep 1.5'
like "$err" '^asp-forward: lease [^ ]* will not be renewed: You are not welcome any more\.; it ends by itself, at 2026' 'is told once'
is "$(log)" 'POST /proxy/leases PUT /proxy/leases/ID DELETE /proxy/leases/ID' 'and gives back'
forget
status 0 'an answer about another lease' to swapped-1 -- bash -c 'wait_until 20 renewals 2'
like "$err" '^asp-forward: renew lease [^ ]*: read answer of the proxy: it is about another lease; trying again$' 'is no renewal'

# --- the end ---------------------------------------------------------------------

proxy dying 127.0.0.1 2222
status 3 'a proxy that is gone at the end does not change the status' bin/asp-forward -q --proxy "$(url dying)" --to renew-60.example.com -- bash -c "kill -KILL $proxy_pid; exit 3"
like "$err" '^asp-forward: give back lease [^ ]*: reach 127\.0\.0\.1:[0-9]*: .*; it ends by itself, at 2026-11-22T15:07:05Z by the proxy.s clock at the latest$' 'and it is said until when the lease lives'
status 3 'one that refuses does not either' to sticky -- sh -c 'exit 3'
like "$err" '^asp-forward: give back lease [^ ]*: Something went wrong\.; it ends by itself once it carries nothing more$' 'and it is said'

# driver NAME: tests that need a terminal, or signals that the shell would ignore.
cat > driver.py << 'END'
import os, pty, select, signal, subprocess, sys, termios, time
what, *argv = sys.argv[1:]
def until(true, seconds=20):
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end: sys.exit("too late: " + what)
        time.sleep(0.02)
def plain():
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP): signal.signal(number, signal.SIG_DFL)
if what == "signal":  # number, file that says when, argv
    number, ready, *argv = argv
    process = subprocess.Popen(argv, preexec_fn=plain)
    until(lambda: os.path.exists(ready))
    process.send_signal(int(number))
    if ready == "http/asked":  # the proxy answers a moment later
        time.sleep(0.3)
        os.unlink(ready)
    try:
        print(process.wait(20))
    except subprocess.TimeoutExpired:
        process.kill()
        print("still there")
elif what == "pty":  # text to type, argv; what comes is printed, then echo and status
    text, *argv = argv
    master, slave = pty.openpty()
    pid = os.fork()
    if pid == 0:
        plain()
        os.setsid()
        import fcntl
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        os.dup2(slave, 0)
        os.execv(argv[0], argv)
    seen = b""
    def prompted():
        global seen
        if select.select([master], [], [], 0)[0]: seen += os.read(master, 4096)
        return b": " in seen or b"ready" in seen
    until(prompted)
    os.write(master, text.encode().decode("unicode_escape").encode())
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    while select.select([master], [], [], 0.1)[0]: seen += os.read(master, 4096)
    print("seen:", seen.decode().replace("\r", "").replace("\n", "|"))
    print("echo:", bool(termios.tcgetattr(slave)[3] & termios.ECHO))
    print("status:", status)
END
driver() { python3 driver.py "$@"; }

for number in 1 2 3 15; do
  forget
  rm -f ready
  is "$(driver signal $number ready bin/asp-forward -q --proxy "$(url http)" --to x -- sh -c "trap 'exit 9' $number; : > ready; while :; do sleep 0.05; done")" 9 \
    "signal $number reaches the command, and its status is ours"
  is "$(log)" 'POST /proxy/leases DELETE /proxy/leases/ID' 'given back'
done
forget
is "$(driver signal 2 http/asked bin/asp-forward -q --proxy "$(url http)" --to late -- sh -c 'trap "" INT; touch ran' 2> /dev/null)" 130 'a signal while a lease is asked for ends us'
is "$(log)" 'POST /proxy/leases DELETE /proxy/leases/ID' 'what was leased then is given back'
nok 'and nothing is run' test -e ran
forget
rm -f ready
is "$(driver signal 1 ready nohup bin/asp-forward -q --proxy "$(url http)" --to x -- sh -c ': > ready; kill -HUP $$; sleep 0.5; exit 4' 2> /dev/null)" 4 'nohup keeps us and the command alive'
forget
rm -f ready
is "$(driver signal 9 ready bin/asp-forward -q --proxy "$(url http)" --to x -- sh -c 'echo $$ > pid; : > ready; exec sleep 100')" -9 'killed with SIGKILL'
ok 'the command goes too' wait_until 10 eval '! kill -0 "$(cat pid)" 2> /dev/null'
forget
out=$(driver pty '\x03' "$W/bin/asp-forward" -q --proxy "$(url http)" --to x -- sh -c 'trap "exit 9" INT; echo ready > /dev/tty; while :; do sleep 0.05; done')
like "$out" 'status: 9$' '^C on the terminal reaches the command'
is "$(log)" 'POST /proxy/leases DELETE /proxy/leases/ID' 'given back'

# --- the password ----------------------------------------------------------------

# sees NAME URL [words]: which password does the server see?
sees() {
  forget
  bin/asp-forward -q --proxy "$@" --to x -- true 2> seen.err
  cut -d' ' -f3 http/log | sort -u | xargs
}
port=$(cat http/port)
printf 'sesame:9\nmore\n' > pass && chmod 600 pass
printf 'wrong\n' > wrong && chmod 600 wrong
is "$(ASPERA_PROXY_PASS=wrong sees "dnat://alice:sesame%3a9@127.0.0.1:$port")" password 'that of the URL comes before that of the environment'
is "$(ASPERA_PROXY_PASS=wrong sees "dnat://alice:wrong@127.0.0.1:$port" --password-file pass)" password 'that of the file before both'
is "$(sees "dnat://alice@127.0.0.1:$port" --password-file wrong)" wrong 'even if it is wrong'
like "$(cat seen.err)" '^asp-forward: lease x:22 at 127.0.0.1:[0-9]*: User and password, please\.$' 'which is said in the words of the proxy'
is "$(sees "dnat://127.0.0.1:$port")" none 'without a user none is named'
status 77 'a wrong password' bin/asp-forward -q --proxy "dnat://alice:no@127.0.0.1:$port" --to x -- true
is "$(sees "dnat://alice@127.0.0.1:$port" --password-file <(cat pass))" password 'the file may be a pipe'
for mode in 640 604 620; do
  chmod $mode pass
  status 78 "a file of mode $mode" plain --password-file pass --to x -- true
  like "$err" 'others can read or change it' 'is refused'
done
chmod 600 pass && chown 1 pass
status 78 'the file of another user' plain --password-file pass --to x -- true
status 78 'no file' plain --password-file nothing --to x -- true
: > empty && chmod 600 empty
status 78 'an empty file' plain --password-file empty --to x -- true

unset ASPERA_PROXY_PASS
forget
out=$(driver pty 'sesame:9\n' "$W/bin/asp-forward" -q --proxy "$(url http)" --to x -- true)
like "$out" $'^seen: Password of alice at 127.0.0.1:[0-9]*: \\|\necho: True\nstatus: 0$' 'it is asked for on the terminal, unseen'
is "$(log)" 'POST /proxy/leases DELETE /proxy/leases/ID' 'and is the right one'
out=$(driver pty '\x03' "$W/bin/asp-forward" -q --proxy "$(url http)" --to x -- true)
like "$out" $'\necho: True\nstatus: 130$' '^C there leaves the terminal as it was'
status 77 'no terminal, no password' setsid -w bin/asp-forward -q --proxy "$(url http)" --to x -- true
like "$err" 'set ASPERA_PROXY_PASS, or use --password-file' 'and what to do'
export ASPERA_PROXY_PASS=sesame:9
status 0 'what ps shows' bin/asp-forward -q --proxy "dnat://alice:sesame%3a9@127.0.0.1:$port" --to x -- sh -c 'tr "\0" " " < /proc/$PPID/cmdline'
like "$out" 'alice:\*+@127' 'has no password'

# --- the certificate -------------------------------------------------------------

secure() { bin/asp-forward --proxy "$(url tls)" --to x "$@"; }
false_one() { bin/asp-forward --proxy "$(url impostor)" --to x "$@"; }
unseen() { is "$(cat "$1/log")" '' "nothing is sent to it, no password and no request"; }
real=$(fingerprint real)
status 76 'a certificate that nobody vouches for' secure -- true
like "$err" "^asp-forward: verify certificate of 127\.0\.0\.1:[0-9]*: .*; if the administrator of the proxy confirms this one, use --fingerprint $real\$" 'its fingerprint is named, and what to do with it'
unseen tls
for form in "$real" "${real//:/}" "$(tr A-F a-f <<< "${real//:/}")" "sha256 Fingerprint=$real"; do
  forget tls
  status 0 "pinned as $form" secure --fingerprint "$form" -- true
  is "$(log tls)" 'POST /proxy/leases DELETE /proxy/leases/ID' 'it is used'
  is "$err" '' 'without a warning'
done
status 0 'vouched for by an authority of ours' secure --ca real.crt -- true
status 76 'an impostor, where one is pinned' false_one --fingerprint "$real" -- true
like "$err" "its SHA256 fingerprint is $(fingerprint other), not the one that was given" 'is told apart'
unseen impostor
status 76 'an impostor, where an authority vouches' false_one --ca real.crt -- true
unseen impostor
status 76 'an impostor, and the authorities of the system' false_one -- true
unseen impostor
status 76 'the right certificate for another name' bin/asp-forward --proxy "dnats://alice@localhost:$(cat tls/port)" --ca real.crt --to x -- true
status 0 'which does not matter to a fingerprint' bin/asp-forward --proxy "dnats://alice@localhost:$(cat tls/port)" --fingerprint "$real" --to x -- true
status 78 'a file of authorities that is not there' secure --ca nothing -- true
forget impostor
status 69 'HTTPS to a port of HTTP' bin/asp-forward --proxy "dnats://alice@127.0.0.1:$port" --fingerprint "$real" --to x -- true
forget
https_proxy=http://127.0.0.1:1 http_proxy=http://127.0.0.1:1 all_proxy=http://127.0.0.1:1 status 0 'proxies of the environment are passed over' to x -- true

# --- hostile answers -------------------------------------------------------------

status 69 'nobody there' bin/asp-forward -q --proxy dnat://alice@127.0.0.1:1 --to x -- touch ran
like "$err" '^asp-forward: reach 127\.0\.0\.1:1: ' 'is said'
while IFS='|' read -r label code pattern; do
  forget
  status "$code" "$label" to "$label" --timeout 2 -- touch ran
  like "$err" "^asp-forward: [ -~]*$pattern[ -~]*\$" 'one line says so'
  is "$(log)" 'POST /proxy/leases' 'it goes nowhere else'
done << 'END'
denied|77|at 127.0.0.1:[0-9]*: Port 25 of server.example.com is not permitted\.
nowhere|69|No such name
full|75|All ports are taken
many|75|which is the limit
broken|69|Something went wrong
forged|77|no\\x1b\[31m\\x0aasp-forward: all is well
page|1|HTTP status 404; is that the port of a node API
redirect|65|redirect
nojson|65|it is not valid
array|65|it is not valid
deep|65|it is not valid
nohttp|65|
nothing|69|
huge|65|more than 65536 bytes
head|65|more than 65536 bytes
slow|69|
port0|65|ssh_port is not valid
port70000|65|ssh_port is not valid
portword|65|ssh_port is not valid
portfloat|65|ssh_port is not valid
porthuge|65|ssh_port is not valid
udp0|65|udp_port is not valid
udpword|65|udp_port is not valid
udplist|65|udp_port is not valid
hostcontrol|65|host is not valid
hostoption|65|host is not valid
hostname|65|host is not valid
hostnull|65|host is not valid
idslash|65|id is not valid
idnumber|65|id is not valid
renewminus|65|renew_seconds is not valid
renewhuge|65|renew_seconds is not valid
expirescontrol|65|expires is not valid
END
nok 'no command was run' test -e ran

# --- ssh, and asp-cp -------------------------------------------------------------

head -c 20000000 /dev/urandom > file
sum() { sha256sum < "$1" | cut -c1-64; }
trust() { echo "$1 $(cut -d' ' -f1-2 "$2.pub")" > known_hosts; }
through() { ssh -F ssh_config -o "ProxyCommand=bin/asp-forward -q --proxy $1 --to %h --ssh-port %p -W" "${@:2}"; }
trust server.example.com host_key
forget
status 0 'ssh goes through -W' through "$(url http)" server.example.com 'echo hello; exit 0'
is "$out$err" hello 'nothing but the stream comes'
ok 'and the lease is given back' wait_until 10 has_line '^DELETE' http/log
is "$(through "$(url http)" server.example.com 'sha256sum | cut -c1-64' < file)" "$(sum file)" '20 MB go up'
is "$(through "$(url http)" server.example.com "cat $W/file" | sha256sum | cut -c1-64)" "$(sum file)" 'and down'
forget
status 0 'it is renewed meanwhile' through "$(url http)" -o HostKeyAlias=server.example.com renew-1.example.com "bash -c '$(declare -f wait_until renewals); cd $W; wait_until 20 renewals 2'"
forget
status 255 'a lease that is lost ends it' through "$(url http)" -o HostKeyAlias=server.example.com lost-1.example.com 'sleep 30'
like "$err" 'asp-forward: lease [^ ]* is over' 'and it is said'
trust server.example.com other_key
status 255 'another host key is refused' through "$(url http)" server.example.com true
like "$err" 'Host key verification failed' 'for that reason'
status 69 'a leased port that is closed' eval 'to closedport -W < /dev/null'
like "$err" '^asp-forward: connect to 127\.0\.0\.1:1: Connection refused$' 'is said'

# A server that answers when it has heard all, and one that hangs up and listens on.
python3 - "$W" << 'END' &
import socket, sys, threading
first, second = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
def hear(peer):
    got = b""
    while part := peer.recv(65536): got += part
    return got
def serve_first():
    while True:
        peer, _ = first.accept()
        peer.sendall(b"heard %d" % len(hear(peer)))
        peer.close()
def serve_second():
    while True:
        peer, _ = second.accept()
        peer.sendall(b"no more")
        peer.shutdown(socket.SHUT_WR)
        with open(sys.argv[1] + "/heard", "w") as file: file.write(str(len(hear(peer))))
        peer.close()
threading.Thread(target=serve_second, daemon=True).start()
with open(sys.argv[1] + "/ports", "w") as file: file.write(f"{first.getsockname()[1]} {second.getsockname()[1]}\n")
serve_first()
END
wait_until 10 test -s ports
read -r first second < ports
proxy half 127.0.0.1 "$first"
proxy other_half 127.0.0.1 "$second"
status 0 'the end of input is passed on, and output still comes' eval 'bin/asp-forward -q --proxy "$(url half)" --to x -W < file'
is "$out" 'heard 20000000' 'all of it'
is "$({ wait_until 10 test -s said; cat file; } | bin/asp-forward -q --proxy "$(url other_half)" --to x -W | tee said)" 'no more' 'the end of output is passed on, and input still goes'
ok 'all of it' wait_until 10 has_line '^20000000$' heard
is "$(log half; log other_half)" $'POST /proxy/leases DELETE /proxy/leases/ID\nPOST /proxy/leases DELETE /proxy/leases/ID' 'both leases are given back'

copy() { bin/asp-forward -q --proxy "$(url "$1")" --to server.example.com --ssh-port 33001 -- bin/asp-cp -F ssh_config -P %P -O %O file "${2:-root@%h:$W/far/}"; }
trust '[server.example.com]:33001' host_key
status 0 'asp-cp, as its page has it, and the host key is that of the destination' copy http
is "$(sum far/file)" "$(sum file)" 'the file arrives'
rm far/file
status 0 'by IPv6, in brackets' copy six "root@[%h]:$W/far/"
is "$(sum far/file)" "$(sum file)" 'the file arrives'
rm far/file
status 0 'brackets are right for IPv4, too' copy http "root@[%h]:$W/far/"
rm far/file
trust '[server.example.com]:33001' other_key
status 69 'another host key is refused' copy http
like "$err" 'Host key verification failed' 'for that reason'
trust 'server.example.com' host_key
status 69 'so is the key of the same host on another port' copy http
nok 'nothing is copied' test -e far/file
for alias in '' 'a b' '-oProxyCommand=x' '[a]:0' '[a]' 'a:22' '%d' $'a\nb'; do
  ASP_CP_HOST_KEY_ALIAS=$alias status 78 "asp-cp refuses the alias '$(printf %q "$alias")'" bin/asp-cp -F ssh_config file 127.0.0.1:far/
done

kill %- %% 2> /dev/null
done_testing
