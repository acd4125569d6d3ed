# spool.sh: alone.sh, with a /run/sallyport of the test's own, sessions in it, and a
# /dev whose syslog is lines in $tmp/syslog. Sourced first of all by contract tests:
#
#   . "${0%/*}/../lib/spool.sh"
#
# A session is a record that a Python process holds locked, as asp-pinhole does.
#
#   hold NAME [stubborn] < RECORDS   a process that holds these; ${holder[NAME]}
#   record NUMBER USER CLIENT [name=value...]
#   let_go NAME...                   kill it, and forget all records
#   install_tools TOOL...            into $tmp
#   with_account NAME ID, without_account NAME   in /etc/passwd
. "${BASH_SOURCE[0]%/*}/alone.sh"
spool=/run/sallyport/sessions

install_tools() {
  local tool
  for tool; do install -m 755 "${BUILD:-build}/bin/$tool" "$tmp/$tool" || exit; done
}

# A /dev of our own, whose syslog is lines in a file.
mount -t tmpfs -o mode=755 dev /dev || exit
mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/full c 1 7 && mknod -m 666 /dev/urandom c 1 9 || exit
ln -s /proc/self/fd /dev/fd
mkdir /dev/pts && mount -t devpts -o newinstance,ptmxmode=666 dev /dev/pts && ln -s pts/ptmx /dev/ptmx
cat > $tmp/syslog.py << 'END'
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/dev/log")
print("listening", flush=True)
while True:
    print(s.recv(65535).decode(errors="replace"), flush=True)
END
: > $tmp/syslog
python3 -IS $tmp/syslog.py >> $tmp/syslog < /dev/null &  # tests truncate it
wait_until 5 grep -q listening $tmp/syslog || exit

# holder.py [stubborn] < RECORDS: holds them, says "holding", and lets go at SIGTERM.
cat > $tmp/holder.py << 'END'
import fcntl, os, signal, sys
held = []
records = [r for r in os.fsdecode(sys.stdin.buffer.read()).split("\n\n") if r.strip()]
os.makedirs("/run/sallyport/sessions", mode=0o700, exist_ok=True)
for record in records:
    text = record.strip("\n").replace("HOLDER", str(os.getpid())) + "\n\n"
    name = "/run/sallyport/sessions/" + text.split("session=", 1)[1].split("\n", 1)[0]
    fresh = name.replace("sessions/", "sessions/.")
    fd = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX)
    os.write(fd, os.fsencode(text))
    os.rename(fresh, name)
    held.append(name)
def release(*_):
    if "stubborn" in sys.argv:
        return
    # One SIGTERM comes for each of the sessions, also while the first is served.
    while held:
        os.unlink(held.pop())
    os._exit(0)
signal.signal(signal.SIGTERM, release)
print("holding", os.getpid(), flush=True)
while True:
    signal.pause()
END

# record NUMBER USER CLIENT [name=value...]: instead of, or besides, the usual
# ones; with the value - it is left out.
id() { printf '00000000-0000-4000-8000-%012d\n' "$1"; }
record() {
  local -A field=([session]=$(id "$1") [user]=$2 [client]=$3:51512 [proxy]=198.51.100.39:33001 [rule]=1
    [upstream_user]=xfer [host]=203.0.113.10:22 [proxy_port]=33001 [udp_port]=33001 [src_port_filtering]=true
    [pid]=0 [holder]=HOLDER [started]=2026-11-22T15:04:$(printf %02d "$1")Z)
  local each
  for each in "${@:4}"; do field[${each%%=*}]=${each#*=}; done
  for each in "${!field[@]}"; do [ "${field[$each]}" = - ] || printf '%s=%s\n' "$each" "${field[$each]}"; done
  echo
}
declare -A holder
# hold NAME [stubborn] < RECORDS
hold() {
  local name=$1
  shift
  : > "$tmp/$name.said"
  python3 -IS $tmp/holder.py "$@" > "$tmp/$name.said" <&0 &
  holder[$name]=$!
  wait_until 20 grep -q holding "$tmp/$name.said"
}
let_go() {
  local name
  for name; do
    kill -KILL "${holder[$name]}"
    wait "${holder[$name]}"
    unset "holder[$name]"
  done 2> /dev/null
  rm -f $spool/*
}
