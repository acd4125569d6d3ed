#!/bin/bash
# asp-dial against real sshds on 127.0.0.1.
#
# As root it all happens in a mount namespace of its own: there /run/sshd
# exists, hostile client configurations lie in /etc/ssh and ~/.ssh, and there
# is an account to log in to that is not root. Otherwise one logs in to one's
# own account.
if [ "$(id -u)" = 0 ]; then
  . "${0%/*}/../lib/alone.sh"
else
  . "${0%/*}/../lib/tap.sh"
  cd "${0%/*}/../.." || exit
fi

dial=$PWD/${BUILD:-build}/bin/asp-dial
tmp=$(mktemp -d) || exit
chmod 755 "$tmp"
mkdir -m 1777 "$tmp/remote"  # what remote commands write
servers=()
cleanup() {
  local pid
  for pid in "${servers[@]}"; do kill "$pid"; done 2> /dev/null
  cat "$tmp"/remote/*.pid 2> /dev/null | while read -r pid; do kill -CONT "$pid"; kill -KILL "$pid"; done 2> /dev/null
  wait
  rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

# --- the world: keys, servers, hostile configuration -------------------------

for each in id id_other host host_other; do ssh-keygen -q -t ed25519 -N '' -C '' -f "$tmp/$each"; done
ssh-keygen -q -t rsa -b 3072 -N '' -C '' -f "$tmp/id_rsa"
ssh-keygen -q -t rsa -b 3072 -N '' -C '' -f "$tmp/host_rsa"
ssh-keygen -q -t ecdsa -b 256 -N '' -C '' -f "$tmp/host_ecdsa"
ssh-keygen -q -t ecdsa -b 521 -N '' -C '' -f "$tmp/host_521"
ssh-keygen -q -t ed25519 -N secret -C '' -f "$tmp/id_encrypted"
cat "$tmp/id.pub" "$tmp/id_rsa.pub" > "$tmp/authorized_keys"

hostile() {
  mkdir -p "$1"
  printf 'Host *\n  Ciphers aes128-cbc\n  KexAlgorithms diffie-hellman-group1-sha1\n  User nobody\n' > "$1/$2"
  printf '127.0.0.1,[127.0.0.1]:* %s\n' "$(cat "$tmp/host.pub")" > "$1/$3"
}
home=$(getent passwd "$(id -u)" | cut -d: -f6)
namespace=
user=$(id -un)
if [ "$(id -u)" = 0 ]; then
  mkdir -m 755 /run/sshd || exit
  user=asp-dial-test
  account $user 64999 "$tmp/remote" /bin/bash
  mount -t tmpfs tmpfs /etc/ssh && mount -t tmpfs tmpfs "$home" && namespace=yes
  hostile /etc/ssh ssh_config ssh_known_hosts
  hostile "$home/.ssh" config known_hosts
fi

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

serve() {  # name [extra configuration line]: sets $port; the log is $tmp/NAME.log
  port=$(free_port)
  cat > "$tmp/$1.conf" << END
ListenAddress 127.0.0.1:$port
HostKey $tmp/host_rsa
HostKey $tmp/host_ecdsa
HostKey $tmp/host
AuthorizedKeysFile $tmp/authorized_keys
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
LogLevel DEBUG1
PrintMotd no
$2
END
  /usr/sbin/sshd -D -E "$tmp/$1.log" -f "$tmp/$1.conf" &
  servers+=($!)
  for _ in $(seq 100); do
    (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null && return
    sleep 0.05
  done
  echo "Bail out! sshd does not start: $(cat "$tmp/$1.log")"
  exit 1
}

known() {  # port public-key-file...: lines for known_hosts
  local at=$1 key
  shift
  for key; do echo "[127.0.0.1]:$at $(cat "$key")"; done
}

serve main
main=127.0.0.1:$port
main_port=$port
serve rekey "RekeyLimit 4M"
rekey=127.0.0.1:$port
serve forced "ForceCommand cat > /dev/null; exit 7"
forced=127.0.0.1:$port
serve impatient "MaxAuthTries 1"
impatient=127.0.0.1:$port
serve demanding "AuthenticationMethods publickey,publickey"
demanding=127.0.0.1:$port
serve closed "MaxSessions 0"
closed=127.0.0.1:$port
serve exotic "Ciphers aes128-cbc"
exotic=127.0.0.1:$port
for at in "$main_port" "${rekey#*:}" "${forced#*:}" "${impatient#*:}" "${demanding#*:}" "${closed#*:}"; do known "$at" "$tmp/host.pub"; done > "$tmp/known_hosts"

options=(-i "$tmp/id" -k "$tmp/known_hosts" -l "$user")
d() { timeout -k 1 30 "$dial" "${options[@]}" "$@"; }
fingerprint() { ssh-keygen -lf "$1" | awk '{ print $2 }'; }

wait_for() {  # seconds command...
  local end=$(($(date +%s%N) + ${1}000000000))
  shift
  until "$@"; do
    [ "$(date +%s%N)" -lt "$end" ] || return 1
    sleep 0.02
  done
}
gone() { ! kill -0 "$(cat "$1")" 2> /dev/null; }

# What only a program can see. Each prints what happened.
cat > "$tmp/see.py" << 'END'
import fcntl, hashlib, os, pty, select, signal, socket, struct, subprocess, sys, termios, threading, time

tmp, dial, user, host = sys.argv[2:6]
there = tmp + "/remote"
base = [dial, "-i", tmp + "/id", "-k", tmp + "/known_hosts", "-l", user]


def command(*words, options=()):
    return base + list(options) + [host, "--"] + list(words)


def remote(name, then):
    """A remote shell that leaves its pid in NAME.pid."""
    return command("sh", "-c", f"echo $$ > {there}/{name}.pid; {then}")


def wait(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def started(name):
    path = f"{there}/{name}.pid"
    assert wait(lambda: os.path.exists(path) and os.path.getsize(path) > 0, 10), "the remote command did not start"
    return int(open(path).read())


def alive(pid):
    try:
        return open(f"/proc/{pid}/stat").read().split(")")[1].split()[0] != "Z"
    except OSError:
        return False


def verdict(process, pid, seconds=1.0):
    ended = wait(lambda: not alive(pid), seconds)
    return f"{process.wait(10)} remote {'ended' if ended else 'LIVES'}"


def flags(*fds):
    return any(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK for fd in fds)


def half_closed_socket():
    a, b = socket.socketpair()
    p = subprocess.Popen(command("sh", "-c", "cat; sleep 0.3; echo late"), stdin=b, stdout=b)
    b.close()
    a.sendall(b"early ")
    a.shutdown(socket.SHUT_WR)
    got = b""
    while more := a.recv(4096):
        got += more
    print(got.decode().strip(), p.wait(5))


def long_output_after_eof():
    a, b = socket.socketpair()
    p = subprocess.Popen(command("sh", "-c", "cat > /dev/null; head -c 20000000 /dev/zero"), stdin=b, stdout=b)
    b.close()
    a.shutdown(socket.SHUT_WR)
    count = 0
    while more := a.recv(65536):
        count += len(more)
    print(count, p.wait(5))


def early_eof_of_output():
    """The command closes its outputs (SSH has one EOF for both) and still reads."""
    script = f"printf x; exec > {there}/digest 2>&1; sha256sum"
    for kind in "pipe", "socket":
        if kind == "pipe":
            r, w = os.pipe()
            near, far, p_in = os.fdopen(r, "rb"), w, subprocess.PIPE
        else:
            s, t = socket.socketpair()
            near, far, p_in = s.makefile("rb"), t.fileno(), subprocess.PIPE
        p = subprocess.Popen(command("sh", "-c", script), stdin=p_in, stdout=far)
        os.close(far) if kind == "pipe" else t.close()
        seen = near.read()  # up to EOF, while our stdin is still open
        data = os.urandom(3_000_000)
        p.stdin.write(data)
        p.stdin.close()
        status = p.wait(10)
        same = open(there + "/digest").read().split()[0] == hashlib.sha256(data).hexdigest()
        print(kind, seen.decode(), status, same)


def client_gone(kind, name, then):
    if kind == "socket":
        a, b = socket.socketpair()
        p = subprocess.Popen(remote(name, then), stdin=b, stdout=b, stderr=subprocess.DEVNULL)
        b.close()
        pid = started(name)
        time.sleep(0.2)
        a.close()
    else:
        r, w = os.pipe()
        p = subprocess.Popen(remote(name, then), stdin=subprocess.PIPE, stdout=w, stderr=subprocess.DEVNULL)
        os.close(w)
        pid = started(name)
        time.sleep(0.2)
        os.close(r)
    print(kind, verdict(p, pid))


def client_gone_idle():
    client_gone("socket", "idle1", "exec sleep 1000")
    client_gone("pipe", "idle2", "exec sleep 1000")


def client_gone_busy():
    client_gone("socket", "busy1", "exec cat /dev/zero")
    client_gone("pipe", "busy2", "exec cat /dev/zero")


def killed():
    for number in signal.SIGTERM, signal.SIGHUP, signal.SIGINT:
        p = subprocess.Popen(remote(f"kill{number}", "exec sleep 1000"), stdin=subprocess.PIPE,
                             stderr=subprocess.DEVNULL)
        pid = started(f"kill{number}")
        time.sleep(0.1)
        p.send_signal(number)
        print(verdict(p, pid))
    p = subprocess.Popen(remote("kill9", "exec cat"), stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    pid = started("kill9")
    p.kill()
    print(verdict(p, pid))


def stderr_gone():
    """Without a reader of stderr the session goes on."""
    r, w = os.pipe()
    p = subprocess.Popen(command("sh", "-c", "echo a; sleep 0.3; head -c 3000000 /dev/zero >&2; echo b"),
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=w)
    os.close(w)
    os.close(r)
    print(p.stdout.read().split(), p.wait(10))


def usage_of(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    switches = next(l for l in open(f"/proc/{pid}/status") if l.startswith("voluntary"))
    return int(fields[11]) + int(fields[12]), int(switches.split()[1])


def quiet(pid):
    """Sooner or later, when all buffers are full: on a busy machine that takes a while."""
    for _ in range(10):
        ticks, switches = usage_of(pid)
        time.sleep(0.8)
        ticks2, switches2 = usage_of(pid)
        if ticks2 - ticks <= 1 and switches2 - switches <= 2:
            return "quiet"
    return f"{ticks2 - ticks} ticks, {switches2 - switches} wake-ups"


def idle():
    def run(name, then, stdin, fill=b""):
        a, b = socket.socketpair()
        p = subprocess.Popen(remote(name, then), stdin=b if stdin is None else stdin, stdout=b)
        b.close()
        pid = started(name)
        if fill:
            a.setblocking(False)
            try:
                while True:
                    a.send(fill)
                    time.sleep(0.001)
            except BlockingIOError:
                pass
        said = quiet(p.pid)
        rss = next(int(l.split()[1]) for l in open(f"/proc/{p.pid}/status") if l.startswith("VmRSS"))
        p.kill()
        p.wait(5)
        return said, rss
    print("open", run("quiet1", "exec sleep 1000", None)[0])
    print("eof", run("quiet2", "exec sleep 1000", subprocess.DEVNULL)[0])
    said, rss = run("quiet3", "exec cat /dev/zero", None, b"x" * 65536)
    print("full", said, "small" if rss < LIMIT else rss)


LIMIT = 400_000 if "san/bin/" in dial else 40_000  # KiB; the sanitizers need room


def server_gone_after_the_end():
    r, w = os.pipe()
    script = f"echo $PPID > {there}/late-sshd.pid; head -c 1000000 /dev/zero; exit 3"
    p = subprocess.Popen(command("sh", "-c", script), stdin=subprocess.DEVNULL, stdout=w)
    os.close(w)
    pid = started("late-sshd")
    time.sleep(0.5)
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.2)
    count = 0
    while more := os.read(r, 65536):
        count += len(more)
    print(count, p.wait(5))


def never_blocks_on_the_server():
    p = subprocess.Popen(remote("flags", "exec sleep 1000"), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    started("flags")
    folder = f"/proc/{p.pid}/fd"
    sockets = [fd for fd in os.listdir(folder) if int(fd) > 2 and os.readlink(f"{folder}/{fd}").startswith("socket:")]
    for fd in sockets:
        flags = next(l for l in open(f"/proc/{p.pid}/fdinfo/{fd}") if l.startswith("flags"))
        print("nonblocking" if int(flags.split()[1], 8) & os.O_NONBLOCK else "BLOCKING")
    p.kill()
    p.wait(5)


def slow_reader():
    """Memory stays bounded when stdout is read a little at a time."""
    r, w = os.pipe()
    p = subprocess.Popen(command("sh", "-c", "cat /dev/zero & cat /dev/zero >&2"), stdin=subprocess.PIPE, stdout=w,
                         stderr=subprocess.DEVNULL)
    os.close(w)
    for _ in range(150):
        os.read(r, 4096)
        time.sleep(0.01)
    rss = next(int(l.split()[1]) for l in open(f"/proc/{p.pid}/status") if l.startswith("VmRSS"))
    print("small" if rss < LIMIT else f"{rss} KiB")
    p.terminate()
    p.wait(5)


def control():
    ours, theirs = socket.socketpair()
    r, w = os.pipe()
    os.write(w, b"input")
    lines = ours.makefile("r")
    n = theirs.fileno()
    p = subprocess.Popen(command("cat", options=["-C", str(n)]), stdin=r, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, pass_fds=[n])
    theirs.close()
    for _ in range(3):
        print(lines.readline().strip())
    time.sleep(0.3)
    unread = struct.unpack("i", fcntl.ioctl(r, termios.FIONREAD, b"\0" * 4))[0]
    quiet_until_run = not select.select([ours], [], [], 0)[0]
    print("unread", unread, quiet_until_run)
    ours.sendall(b"run\n")
    print(lines.readline().strip())
    os.close(w)
    os.close(r)
    out, err = p.communicate(timeout=5)
    print(lines.readline().strip(), lines.readline() == "", out, err, p.returncode)


def conducted(words, answer, options=(), then_close=True):
    ours, theirs = socket.socketpair()
    n = theirs.fileno()
    p = subprocess.Popen(base + list(options) + ["-C", str(n), host, "--"] + words, stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=[n])
    theirs.close()
    try:
        p.stdin.write(b"\n")  # it is carried once the command runs
        p.stdin.flush()
    except BrokenPipeError:
        pass
    lines = ours.makefile("r")
    first = lines.readline()
    while first.split()[0] in ("reached", "verified"):
        first = lines.readline()
    if answer is None:
        ours.shutdown(socket.SHUT_WR)
    else:
        try:
            ours.sendall(answer)
        except BrokenPipeError:
            pass
    rest = lines.read()
    out, err = p.communicate(timeout=10)
    return first.split()[0], rest.replace(host, "HOST").replace(tmp, "TMP").strip(), out, err, p.returncode


def control_refusals():
    print(conducted(["touch", there + "/ran"], None))
    print(conducted(["touch", there + "/ran"], b"stop\n"))
    print(conducted(["touch", there + "/ran"], b"r" * 100))
    print(conducted(["sh", "-c", "kill -KILL $$"], b"run\n"))
    print(conducted(["true"], b"", options=["-i", tmp + "/nosuch"]))
    print(conducted(["sh", "-c", "read -r _; kill -KILL $PPID"], b"run\n"))
    print("ran" if os.path.exists(there + "/ran") else "not run")


def control_hangs_up():
    for how in "close", "shutdown":
        ours, theirs = socket.socketpair()
        n = theirs.fileno()
        name = "hangup-" + how
        p = subprocess.Popen(base + ["-C", str(n), host, "--", "sh", "-c", f"echo $$ > {there}/{name}.pid; exec sleep 1000"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=[n])
        theirs.close()
        ours.sendall(b"run\n")
        pid = started(name)
        time.sleep(0.1)
        ours.close() if how == "close" else ours.shutdown(socket.SHUT_WR)
        print(how, verdict(p, pid), p.stderr.read())


def no_nonblocking_left():
    for kind in "pipe", "socket":
        if kind == "pipe":
            (r, w), (r2, w2) = os.pipe(), os.pipe()
        else:
            pairs = [socket.socketpair(), socket.socketpair()]
            (r, w), (r2, w2) = [tuple(s.detach() for s in pair) for pair in pairs]
        p = subprocess.Popen(command("cat"), stdin=r, stdout=w2, stderr=w2)
        os.write(w, b"x" * 1000)
        got = len(os.read(r2, 4096))
        during = flags(r, w2)
        os.close(w)
        print(kind, got, during, p.wait(5), flags(r, w2))
        for fd in r, r2, w2:
            os.close(fd)


def terminal():
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
    before = termios.tcgetattr(slave)

    def control_terminal():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    seen = b""

    def expect(text, seconds=8):
        nonlocal seen
        end = time.monotonic() + seconds
        while text not in seen:
            if time.monotonic() > end or not select.select([master], [], [], end - time.monotonic())[0]:
                return f"no {text!r} in {seen!r}"
            seen += os.read(master, 4096)
        seen = seen[seen.index(text) + len(text):]
        return text.decode().strip()

    script = ("stty size; echo term=$TERM; trap 'echo got-int' INT; trap 'echo; stty size' WINCH; echo ready; "
              "while :; do read -t 0.1 line && [ \"$line\" = bye ] && exit 9; done")
    p = subprocess.Popen(command("bash", "-c", script), stdin=slave, stdout=slave, stderr=slave,
                         preexec_fn=control_terminal, env=dict(os.environ, TERM="vt220"))
    print(expect(b"33 101"), expect(b"term=vt220"), expect(b"ready"))
    print("raw" if not termios.tcgetattr(slave)[3] & (termios.ICANON | termios.ECHO | termios.ISIG) else "NOT raw")
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 55, 0, 0))
    print(expect(b"44 55"))
    os.write(master, b"\x03")
    print(expect(b"got-int"))
    os.write(master, b"bye\r")
    print(p.wait(5), "restored" if termios.tcgetattr(slave) == before else "NOT restored")
    p = subprocess.Popen(remote("tty", "echo ready; sleep 1000"), stdin=slave, stdout=slave, stderr=slave,
                         preexec_fn=control_terminal)
    pid = started("tty")
    expect(b"ready")
    p.terminate()
    print(verdict(p, pid), "restored" if termios.tcgetattr(slave) == before else "NOT restored")
    p = subprocess.Popen(remote("tty2", "echo ready; sleep 1000"), stdin=slave, stdout=slave, stderr=slave,
                         preexec_fn=control_terminal)
    pid = started("tty2")
    expect(b"ready")
    os.close(slave)
    os.close(master)
    print(verdict(p, pid).replace("129", "74"))  # whether SIGHUP or POLLHUP comes first


def both_ways():
    """100 MB each way at once, through sockets as sshd gives them."""
    data = os.urandom(1_000_000) * 100
    a, b = socket.socketpair()
    p = subprocess.Popen(command("sh", "-c", f"exec tee {there}/copy"), stdin=b, stdout=b)
    b.close()

    def send():
        a.sendall(data)
        a.shutdown(socket.SHUT_WR)
    thread = threading.Thread(target=send)
    thread.start()
    digest = hashlib.sha256()
    while more := a.recv(1 << 20):
        digest.update(more)
    thread.join()
    want = hashlib.sha256(data).hexdigest()
    print(p.wait(5), hashlib.sha256(open(there + "/copy", "rb").read()).hexdigest() == want, digest.hexdigest() == want)


globals()[sys.argv[1]]()
END
see() { timeout -k 1 30 python3 "$tmp/see.py" "$1" "$tmp" "$dial" "$user" "${2:-$main}" 2>&1; }

# --- what takes long runs meanwhile -------------------------------------------

# Stops its own sshd, with nothing to carry and with far too much. Not before our input or its
# end is there: by then asp-dial has heard that the command runs.
stop_server() {  # name: its stdin is the session's
  local stop="echo \$\$ > $tmp/remote/$1.pid; echo \$PPID > $tmp/remote/$1-sshd.pid; head -c 1 > /dev/null; kill -STOP \$PPID; exec sleep 1000"
  date +%s%N > "$tmp/$1.start"
  d -K 1 "$main" -- sh -c "$stop" > "$tmp/$1.out" 2>&1
  echo $? > "$tmp/$1.code"
  date +%s%N > "$tmp/$1.end"
}
stop_server stopped < /dev/null &
long=($!)
stop_server flooded < /dev/zero &
long+=($!)
(d -K 1 "$rekey" -- sleep 5 < /dev/null > "$tmp/idle.out" 2>&1; echo $? > "$tmp/idle.code") &
long+=($!)

# --- exit status ----------------------------------------------------------------

status 0 "the remote command's status is ours: 0" d "$main" -- true
status 3 "the remote command's status is ours: 3" d "$main" -- sh -c 'exit 3'
status 255 "the remote command's status is ours: 255" d "$main" -- sh -c 'exit 255'
for each in HUP:129 INT:130 KILL:137 PIPE:141 TERM:143 USR1:138; do
  status "${each#*:}" "a remote command killed by SIG${each%:*} is ${each#*:}" d "$main" -- sh -c "kill -${each%:*} \$\$"
done
is "$err" "" "nothing of ours is on stderr then"
status 7 "a server may run another command than ours" d "$forced" -- exit 9 < /dev/null

# --- bytes ------------------------------------------------------------------------

status 5 "stderr stays apart from stdout" d "$main" -- sh -c 'echo to-out; echo to-err >&2; exit 5'
is "$out/$err" "to-out/to-err" "and each arrives where it belongs"
status 0 "words are quoted for the remote shell" d "$main" -- printf '%s|' 'two  words' "it's" '' '$HOME' '*'
is "$out" "two  words|it's||\$HOME|*|" "and arrive as they were"
python3 -c 'import sys; sys.stdout.buffer.write(bytes(range(256)) * 4096)' > "$tmp/binary"
d "$main" -- cat < "$tmp/binary" > "$tmp/binary.back"
ok "every byte passes unchanged, from a file to a file" cmp "$tmp/binary" "$tmp/binary.back"
d "$main" -- cat < "$tmp/binary" | cat > "$tmp/binary.back"
ok "and from a file to a pipe" cmp "$tmp/binary" "$tmp/binary.back"
is "$(see both_ways)" "0 True True" "100 MB each way at once arrive whole"
is "$(see both_ways "$rekey")" "0 True True" "also while keys are exchanged anew every 4 MB"
ok "(and they are)" test "$(grep -c 'rekeying in progress\|SSH2_MSG_KEXINIT received' "$tmp/rekey.log")" -gt 10
head -c 100000000 /dev/zero > "$tmp/big"
want=$(sha256sum < "$tmp/big")
is "$(d "$main" -- sh -c 'sleep 0.3; sha256sum' < "$tmp/big")" "$want" "EOF overtakes no byte while the window is full"
is "$(d "$main" -- cat "$tmp/big" < /dev/null | (sleep 0.3; sha256sum))" "$want" "a reader that starts late gets every byte"
rm "$tmp/big"

# --- EOF, each direction by itself ---------------------------------------------

is "$(see half_closed_socket)" "early late 0" "a client's half close is passed on, and output still flows"
is "$(see long_output_after_eof)" "20000000 0" "long output after the client's EOF arrives whole"
is "$(see early_eof_of_output)" "$(printf 'pipe x 0 True\nsocket x 0 True')" "a server's early EOF is passed on, and input still flows"

# --- who is gone is noticed ------------------------------------------------------

is "$(see client_gone_idle)" "$(printf 'socket 74 remote ended\npipe 74 remote ended')" "a client that goes away ends an idle remote command"
is "$(see client_gone_busy)" "$(printf 'socket 74 remote ended\npipe 74 remote ended')" "and one whose output it did not read"
is "$(see killed)" "$(printf '143 remote ended\n129 remote ended\n130 remote ended\n-9 remote ended')" "whatever kills asp-dial ends the remote command"
is "$(see stderr_gone)" "[b'a', b'b'] 0" "without a reader of stderr the session goes on"
status 69 "a killed server is 69" d "$main" -- sh -c 'kill -KILL $PPID; sleep 1'
like "$err" "^asp-dial: connection to $main lost: " "and said in one line"
is "$(see idle)" "$(printf 'open quiet\neof quiet\nfull quiet small')" "nothing spins: idle, after EOF, and with all windows full"
is "$(see server_gone_after_the_end)" "1000000 3" "what came before the end is delivered, even if the server is gone by then"
is "$(see never_blocks_on_the_server)" "nonblocking" "the socket to the server does not block"
is "$(see slow_reader)" "small" "a slow reader costs little memory"
d "$main" -- yes 2> "$tmp/err" | head -1 > /dev/null
is "${PIPESTATUS[0]}/$(cat "$tmp/err")" "74/asp-dial: client hung up" "a closed reader of stdout is 74"
d "$main" -- echo x 2> "$tmp/err" > /dev/full
is "$?/$(cat "$tmp/err")" "74/asp-dial: write to descriptor 1: No space left on device" "a full disk is 74"
d "$main" -- sh -c 'exit 4' >&-
is "$?" 4 "stdout closed from the start does not matter while nothing is written"
d "$main" -- echo lost 2> "$tmp/err" >&-
is "$?/$(cat "$tmp/err")" "74/asp-dial: client hung up" "and is 74 when something is"
d "$main" -- sh -c 'echo lost >&2; exit 4' 2>&-
is "$?" 4 "what comes for a stderr closed from the start is dropped"

# --- the server must be the one that was enrolled ------------------------------------

refused_before_authentication() {  # name pattern known_hosts
  : > "$tmp/main.log"
  status 76 "$1: 76" d -k "$3" "$main" -- touch "$tmp/remote/ran"
  like "$err" "$2" "$1: host, type and fingerprint are named"
  ok "$1: the server saw us" grep -q 'Connection from 127.0.0.1' "$tmp/main.log"
  nok "$1: no authentication is tried" grep -q 'userauth\|publickey' "$tmp/main.log"
}
at="\[127.0.0.1\]:$main_port"
: > "$tmp/empty"
refused_before_authentication "an unknown host key" "^asp-dial: verify host key of $at: not in .* \(the server has ssh-ed25519 $(literally "$(fingerprint "$tmp/host.pub")")\)$" "$tmp/empty"
refused_before_authentication "a missing known_hosts" "$at: open .*No such file.* SHA256:" "$tmp/nosuch"
known "$main_port" "$tmp/host_other.pub" > "$tmp/changed"
refused_before_authentication "a changed host key" "$at: .*changed.*ssh-ed25519 $(literally "$(fingerprint "$tmp/host.pub")")" "$tmp/changed"
known "$main_port" "$tmp/host_521.pub" > "$tmp/othertype"
refused_before_authentication "a host key of a type that is not enrolled" "$at: only keys of other types.* SHA256:" "$tmp/othertype"
nok "nothing was run on those servers" test -e "$tmp/remote/ran"
is "$(cat "$tmp/empty")" "" "known_hosts is never written"
for each in host host_rsa host_ecdsa; do
  known "$main_port" "$tmp/$each.pub" > "$tmp/one"
  status 0 "of several key types the enrolled one is used ($each)" d -k "$tmp/one" -v "$main" -- true
  like "$err" "$(literally "$(fingerprint "$tmp/$each.pub")")" "and it is that key ($each)"
done
mkdir "$tmp/100%h d"
cp "$tmp/known_hosts" "$tmp/100%h d/%u"
status 0 "a path is only a path" d -k "$tmp/100%h d/%u" "$main" -- true

# --- our own key ------------------------------------------------------------------

status 77 "a key that the server does not know is 77" d -i "$tmp/id_other" "$main" -- true
is "$err" "asp-dial: log in at $main as $user: server refuses our key $tmp/id_other" "and said so"
status 77 "also to a server that hangs up at the first wrong one" d -i "$tmp/id_other" "$impatient" -- true
like "$err" "^asp-dial: log in at $impatient as $user: server hangs up on our key $tmp/id_other .*Too many authentication failures" "and said so"
status 77 "a server that wants more than a key is 77" d "$demanding" -- true
is "$err" "asp-dial: log in at $demanding as $user: server wants more than our key $tmp/id" "and said so"
status 77 "so is a user that it does not know" d -l nosuchuser "$main" -- true
status 0 "an RSA key does, too" d -i "$tmp/id_rsa" "$main" -- true
status 78 "a missing key file is 78" d -i "$tmp/nosuch" "$main" -- true
is "$err" "asp-dial: open key $tmp/nosuch: No such file or directory" "and named"
status 78 "an encrypted key is 78" d -i "$tmp/id_encrypted" "$main" -- true < /dev/null
like "$err" "id_encrypted: it is encrypted" "and called so"
openssl genpkey -algorithm ed25519 -out "$tmp/id_pkcs8" 2> /dev/null
chmod 600 "$tmp/id_pkcs8"
{ printf '\0\0\0\013ssh-ed25519\0\0\0\040'; openssl pkey -in "$tmp/id_pkcs8" -pubout -outform DER | tail -c 32; } |
  base64 -w 0 | sed 's/^/ssh-ed25519 /; s/$/ pkcs8\n/' >> "$tmp/authorized_keys"
capture d -i "$tmp/id_pkcs8" "$main" -- true
if [ "$code" = 0 ]; then
  ok "an Ed25519 key in PKCS#8 form: libssh signs with it (since 0.11)" true
else
  is "$code" 78 "an Ed25519 key in PKCS#8 form, with which libssh cannot sign, is 78"
  like "$err" "^asp-dial: read key $tmp/id_pkcs8: it cannot sign, .*PKCS#8 form; write it in OpenSSH's form .*ssh-keygen" "and what to do is said, before anybody is asked"
fi
openssl genrsa -traditional -out "$tmp/id_small" 768 2> /dev/null
status 78 "so is an RSA key that is too short to sign with" d -i "$tmp/id_small" "$main" -- true
like "$err" "^asp-dial: (read|sign with) key $tmp/id_small: " "and it is not the server that refused it"
for each in rsa ec; do
  openssl genpkey -algorithm "$each" -pkeyopt "$([ $each = ec ] && echo ec_paramgen_curve:P-256 || echo rsa_keygen_bits:2048)" -out "$tmp/id_pkcs8_$each" 2> /dev/null
  chmod 600 "$tmp/id_pkcs8_$each"
  ssh-keygen -y -f "$tmp/id_pkcs8_$each" >> "$tmp/authorized_keys"
  status 0 "PKCS#8 form is right for others ($each)" d -i "$tmp/id_pkcs8_$each" "$main" -- true
done
status 78 "a file that is not a key is 78" d -i "$tmp/known_hosts" "$main" -- true

# --- reaching it --------------------------------------------------------------------

status 69 "a closed port is 69" d "127.0.0.1:$(free_port)" -- true
like "$err" "^asp-dial: connect 127.0.0.1:[0-9]+: Connection refused$" "with the address and the reason"
status 77 "a refused channel is 77" d "$closed" -- true
like "$err" "^asp-dial: open channel at $closed: " "and said so"
cat > "$tmp/deaf.py" << 'END'
import socket, threading, time
deaf = socket.socket(); deaf.bind(("127.0.0.1", 0)); deaf.listen(5)       # connects, never speaks
full = socket.socket(); full.bind(("127.0.0.1", 0)); full.listen(0)       # does not even connect
held = []
for _ in range(3):
    s = socket.socket(); s.setblocking(False); s.connect_ex(full.getsockname()); held.append(s)
def serve(what):
    s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(5)
    def run():
        while True:
            c = s.accept()[0]; c.sendall(what); c.shutdown(socket.SHUT_WR)
            while c.recv(9999): pass
            c.close()
    threading.Thread(target=run, daemon=True).start()
    return s.getsockname()[1]
banner = b"SSH-2.0-test\r\n"
print(deaf.getsockname()[1], full.getsockname()[1], serve(b""), serve(banner), serve(b"220 mail\r\n"), flush=True)
time.sleep(60)
END
exec 4< <(exec python3 "$tmp/deaf.py")
servers+=($!)
read -r deaf full hangs_up hangs_up_later mail <&4
for each in $hangs_up $hangs_up_later $mail; do
  status 69 "a server that hangs up during the handshake is 69" d "127.0.0.1:$each" -- true
  like "$err" "^asp-dial: handshake with 127.0.0.1:$each: " "and said so"
done
like "$err" ': server says: 220 mail$' "with the words of one that speaks no SSH"
status 76 "a server without an algorithm that we know is 76" d "$exotic" -- true
like "$err" "^asp-dial: handshake with $exotic: kex error" "and said so"
for each in "handshake with:$deaf" "connect:$full"; do
  start=$(date +%s%N)
  status 69 "${each%:*} a black hole: 69" d -t 1 "127.0.0.1:${each#*:}" -- true
  ok "within -t" test $((($(date +%s%N) - start) / 1000000)) -lt 5000
  like "$err" "^asp-dial: ${each%:*} 127.0.0.1:${each#*:}: (timed out|Connection timed out)" "and said so"
done
status 69 "a name that does not exist is 69" d -t 2 no-such-host.invalid -- true
like "$err" "^asp-dial: resolve no-such-host.invalid: " "and said so"
status 0 "the source address can be chosen" d -b 127.0.0.1 "$main" -- sh -c 'echo "$SSH_CLIENT"'
like "$out" "^127.0.0.1 " "and is used"
status 71 "a source address that is not ours is refused" d -b 192.0.2.7 "$main" -- true
is "$err" "asp-dial: connect from 192.0.2.7 (bind_source_address), which is not an address of this host: Cannot assign requested address" "and said so"
status 0 "-4 reaches an IPv4 address" d -4 "$main" -- true
status 69 "-6 does not" d -6 "$main" -- true
like "$err" "^asp-dial: connect $main: it has no IPv6 address, by which the client came" "and said so"
status 64 "both together are refused" d -4 -6 "$main" -- true

if [ -n "$namespace" ]; then
  status 0 "ssh_config of system and user is not read" d "$main" -- true
  nok "(it would have mattered)" ssh -o BatchMode=yes -i "$tmp/id" -p "$main_port" 127.0.0.1 true 2> /dev/null
else
  skip "needs root, and a home elsewhere" "ssh_config of system and user is not read"
fi

# --- the key on a descriptor --------------------------------------------------------

keyed() { timeout -k 1 30 "$dial" -I 5 -k "$tmp/known_hosts" -l "$user" "$main" -- true 5< "$1"; }
status 0 "-I: the key is read from a descriptor" keyed "$tmp/id"
status 78 "-I: what is not a key there is refused" keyed "$tmp/known_hosts"
like "$err" "read key on descriptor: not a private key" "and said"
status 78 "-n: and by its name, if it has one" timeout 30 "$dial" -I 5 -n /etc/keys/bear -k "$tmp/known_hosts" -l "$user" "$main" -- true 5< "$tmp/known_hosts"
like "$err" "read key /etc/keys/bear: not a private key" "which is said"
status 64 "-n without -I" d -n x "$main" -- true
status 64 "-I and -i together" d -I 5 "$main" -- true
status 64 "-I: a descriptor that is not open" timeout 5 "$dial" -I 77 "$main" -- true

# --- control descriptor -----------------------------------------------------------

is "$(see control | sed -E '3s/ connect_ms=[0-9]+ handshake_ms=[0-9]+ login_ms=[0-9]+$/ (each step)/')" "$(printf '%s\n' "reached address=$main" verified "connected address=$main host_key=\"ssh-ed25519 $(fingerprint "$tmp/host.pub")\" (each step)" \
  "unread 5 True" running "ended status=0 True b'input' b'' 0")" "control: reached, verified, connected, run, running, ended, and no byte read before run"
is "$(see control_refusals)" "$(cat << 'END'
('connected', 'failed code=75 reason="read control descriptor: closed before \'run\'"', b'', b'', 75)
('connected', 'failed code=65 reason="read control descriptor: expected \'run\'"', b'', b'', 65)
('connected', 'failed code=65 reason="line longer than 64 bytes"', b'', b'', 65)
('connected', 'running\nended signal=KILL', b'', b'', 137)
('failed', '', b'', b'', 78)
('connected', 'running\nfailed code=69 reason="connection to HOST lost: server hung up"', b'', b'', 69)
not run
END
)" "control: every failure is a line there, with the exit status, and stderr stays silent"
is "$(see control_hangs_up)" "$(printf "close 75 remote ended b''\nshutdown 75 remote ended b''")" "control: its hang-up ends the remote command"

# --- terminal, descriptors --------------------------------------------------------------

is "$(see terminal)" "$(printf '%s\n' '33 101 term=vt220 ready' raw '44 55' got-int '9 restored' '143 remote ended restored' '74 remote ended')" \
  "a terminal: size, type, raw mode, resize, ^C, restored at the end and after a signal; its hang-up ends the command"
is "$(see no_nonblocking_left)" "$(printf 'pipe 1000 False 0 False\nsocket 1000 False 0 False')" "shared descriptors stay blocking"

# --- usage --------------------------------------------------------------------------------

status 64 "no host is 64" "$dial" -i "$tmp/id"
status 64 "a missing -- is 64" "$dial" -i "$tmp/id" "$main" true
status 64 "no command is 64" "$dial" -i "$tmp/id" "$main" --
status 64 "no key is 64" "$dial" "$main" -- true
status 64 "a host that is none is 64" "$dial" -i "$tmp/id" 'a b' -- true
status 64 "an unknown option is 64" "$dial" -Z
status 64 "a time that is none is 64" "$dial" -i "$tmp/id" -t 0 "$main" -- true
status 64 "a control descriptor that is not open is 64" "$dial" -i "$tmp/id" -C 77 "$main" -- true
like "$err" "^asp-dial: -C 77: not open; usage: asp-dial " "with the usage, in one line"

over() { printf '%s\0' "$@"; }
status 0 "-A: the arguments come over a descriptor" "$dial" -A 6 6< <(over -i "$tmp/id" -k "$tmp/known_hosts" -l "$user" "$main" -- echo 'a  b' '')
is "$out" 'a  b ' "as they are, empty ones too"
whole=(-i "$tmp/id" -k "$tmp/known_hosts" -l "$user" "$main" -- true)
status 64 "-A with more on the command line is 64" timeout 10 "$dial" -A 6 "$main" 6< <(over "${whole[@]}")
status 74 "-A and a descriptor that is not open is 74" timeout 10 "$dial" -A 7
over "${whole[@]}" > "$tmp/whole"
status 64 "-A and a standard descriptor is 64" timeout 10 "$dial" -A 0 < "$tmp/whole"
status 64 "-A without an end is 64" timeout 10 "$dial" -A 6 6< <(head -c -1 "$tmp/whole")
status 64 "-A and nothing there is 64" timeout 10 "$dial" -A 6 6< /dev/null
status 65 "-A and too much is 65" timeout 10 "$dial" -A 6 6< <(head -c 70000 /dev/zero)

# --- what took long ---------------------------------------------------------------------------

wait "${long[@]}"
for each in stopped flooded; do
  is "$(cat "$tmp/$each.code")/$(cat "$tmp/$each.out")" "69/asp-dial: connection to $main lost: no sign of life for 3 s" \
    "a stopped server is noticed by its silence ($each)"
  took=$((($(cat "$tmp/$each.end") - $(cat "$tmp/$each.start")) / 1000000))
  ok "after three times -K ($took ms)" test "$took" -ge 3000 -a "$took" -lt 9000
done
is "$(cat "$tmp/idle.code")/$(cat "$tmp/idle.out")" "0/" "an idle server that answers keep-alives is not given up"
ok "it was asked each second" test "$(grep -c 'rtype keepalive@openssh.com want_reply 1' "$tmp/rekey.log")" -ge 4

done_testing
