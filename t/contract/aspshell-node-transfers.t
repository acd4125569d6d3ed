#!/bin/bash
# asp-cp on a transfer node, confined as it is: files go there and back; and since all its sessions
# have one UDP port, they hand each other what comes for them, so that one that waits keeps nobody
# else from meeting their client.
. "${0%/*}/../lib/alone.sh"

suite aspshell asp-cp
account bear 60001 /home/bear /bin/aspshell
account bobcat 60002 /home/bobcat /bin/aspshell
mount -t tmpfs -o mode=755 tmpfs /srv
install -d -o bear /srv/bear && install -d -o bobcat /srv/bobcat
cat > $prefix/etc/aspera.conf << 'END'
<CONF version="2"><default><file_system><access><paths><path><absolute>/srv/$(name)</absolute></path></paths></access></file_system></default></CONF>
END
serve() { exec setpriv --reuid="$1" --regid="$1" --clear-groups env -i $prefix/bin/aspshell -c 'asp-cp -S'; }
export -f serve
export prefix

python3 - << 'END' > $tmp/out 2>&1
import hashlib, hmac, select, socket, subprocess, time
class Session:
    def __init__(self, user, passphrase):
        self.passphrase = passphrase
        self.process = subprocess.Popen(["bash", "-c", f"serve {user}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.process.stdin.write(f"say=open\nasp_cp=1\ndirection=upload\npassphrase={passphrase}\nrate=0\nrecursive=0\ntarget=\ninto_directory=0\n\n".encode())
        self.session = self.heard(10)["session"]
    # The next record; None: nothing comes.
    def heard(self, seconds):
        text, until = b"", time.monotonic() + seconds
        while not text.endswith(b"\n\n"):
            if not select.select([self.process.stdout], [], [], max(0, until - time.monotonic()))[0]: return None
            part = self.process.stdout.read(4096)
            if not part: return None
            text += part
        return dict(line.split("=", 1) for line in text.decode().splitlines() if line)
    # Knocks as a client does.
    def meets(self):
        text = b"ASPCPHI1" + bytes.fromhex(self.session) + b"\0"
        hello = text + hmac.digest(self.passphrase.encode(), text, "sha256")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as knocking:
            for _ in range(30):
                knocking.sendto(hello, ("127.0.0.1", 33001))
                answer = self.heard(0.1)
                if answer: return answer["say"]
first, second = Session("bear", "1" * 64), Session("bobcat", "2" * 64)
print(first.meets(), second.meets())
for each in first, second: each.process.kill()
END
is "$(cat $tmp/out)" 'reached reached' "the last one to come hands on what is the first one's"

# As if the client had logged in as bear, on this host.
cat > $tmp/ssh << 'END'
#!/bin/sh
[ "$1" != -G ] || exec echo hostname 127.0.0.1
while [ "$1" != -- ]; do shift; done
shift 2
exec setpriv --reuid=bear --regid=bear --clear-groups env -i /opt/aspera/proxy/bin/aspshell -c "$*"
END
chmod 755 $tmp/ssh && mount --bind $tmp/ssh /usr/bin/ssh
head -c 1000000 /dev/urandom > $tmp/file
copy() { timeout 30 $prefix/bin/asp-cp "$@"; }
status 0 'a file goes up' copy $tmp/file node:/up
is "$out$err" '' 'silently'
ok 'whole' cmp $tmp/file /srv/bear/up
status 0 'and comes down' copy node:up $tmp/down
ok 'whole' cmp $tmp/file $tmp/down
status 74 'none comes from elsewhere' copy node:/etc/passwd $tmp/passwd
nok 'at all' test -e $tmp/passwd
done_testing
