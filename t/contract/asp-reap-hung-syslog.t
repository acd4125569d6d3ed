#!/bin/bash
# A syslog daemon that hangs, its queue full: whoever has something to log goes on, and
# nobody waits for it with a lock that others need. In namespaces of its own.
. "${0%/*}/../lib/spool.sh"

suite asp-reap asp-rules asperaproxy
golden=t/unit/golden
id=00000000-0000-4000-8000-000000000001
bury() {
  local i
  mkdir -p $spool
  for i in 1 2 3; do
    sed '1d; /^$/q' $golden/sessions | sed "/^\$/d; s/^session=.*/session=${id%1}$i/" > "$spool/${id%1}$i"
  done
}
$prefix/bin/asp-reap  # makes the directories

# watch.py LOCK COMMAND...: runs it; how long it took, and of that how long it waited for
# something else than a child of its own while it had LOCK, both in ms; its status.
cat > $tmp/watch.py << 'END'
import os, subprocess, sys, time
lock, command = sys.argv[1], sys.argv[2:]
def text(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""
def has_lock(pid):
    try:
        inode = f":{os.stat(lock).st_ino} "
    except OSError:
        return False
    return any(f" {pid} " in line and inode in line for line in text("/proc/locks").splitlines())
began = last = time.monotonic()
waited = 0.0
program = subprocess.Popen(command, stdout=subprocess.DEVNULL)
while program.poll() is None:
    pid = program.pid
    waits = "poll" in text(f"/proc/{pid}/wchan") and not text(f"/proc/{pid}/task/{pid}/children").strip()
    waits = waits and has_lock(pid)
    now = time.monotonic()
    if waits:
        waited += now - last
    last = now
    if now - began > 30:
        program.kill()
    time.sleep(0.002)
print(round((time.monotonic() - began) * 1000), round(waited * 1000), program.returncode)
END
fill() {
  kill -STOP "$daemon"
  python3 -IS -c 'import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setblocking(False)
s.connect("/dev/log")
try:
    while True: s.send(b"<15>full")
except BlockingIOError: print("full")'
}
daemon=$(pgrep -f $tmp/syslog.py)

# Each has something to log. Its first line waits half a second, the others do not.
while read -r name lock command; do
  case $name in
    asp-reap) bury ;;
  esac
  is "$(fill)" full "($name: the queue is full)"
  read -r took waited code < <(python3 -IS $tmp/watch.py /run/sallyport/$lock $command 2> $tmp/err)
  is "$code" 0 "$name goes on" || diag "$(cat $tmp/err)"
  ok "$name: it did want to log, and waited" test "$took" -ge 450
  ok "$name: in 10 s at most" test "$took" -le 10000 || diag "$took ms"
  ok "$name: never with /run/sallyport/$lock" test "$waited" -le 100 || diag "waited $waited ms of $took ms"
  kill -CONT "$daemon"
  ok "($name: the daemon goes on)" wait_until 10 grep -q full $tmp/syslog
  : > $tmp/syslog
done << END
asp-reap  lock       $prefix/bin/asp-reap
drain     lock       $prefix/bin/asperaproxy drain
undrain   lock       $prefix/bin/asperaproxy undrain
stop      lock       $prefix/bin/asperaproxy stop
start     lease_lock $prefix/bin/asperaproxy start
END
is "$(ls $spool)" '' 'the dead are reaped'

# All lines are there when nobody hangs, with the lock's in their order.
bury
$prefix/bin/asp-reap
ok 'three dead sessions make three lines' wait_until 5 eval '[ "$(grep -c "LOG Reaped session=" $tmp/syslog)" = 3 ]' || diag "$(cat $tmp/syslog)"
done_testing
