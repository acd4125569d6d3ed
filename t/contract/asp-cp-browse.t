#!/bin/bash
# asp-cp --ls and --du against a server that means harm: what it sends writes nothing on the terminal,
# and does not fill the memory.
. "${0%/*}/../lib/alone.sh"

suite asp-cp
cat > $tmp/ssh << 'END'
#!/bin/sh
cat > /dev/null
exec python3 /run/tmp/server.py
END
chmod 755 $tmp/ssh && mount --bind $tmp/ssh /usr/bin/ssh
cat > $tmp/head.py << 'END'
import struct, sys
def tlv(kind, value): return bytes([kind]) + struct.pack(">I", len(value)) + value
def text(kind, value): return tlv(kind, value + b"\0")
def say(*answers): sys.stdout.buffer.write(tlv(5, text(1, b"Linux")) + b"".join(answers))
known = tlv(2, struct.pack(">q", 1)) + tlv(3, struct.pack(">i", 0o100644)) + tlv(5, bytes(4)) + tlv(7, bytes(4))
END
# server PYTHON: what it says.
server() { { cat $tmp/head.py; echo "$1"; } > $tmp/server.py; }
case ${BUILD-} in *san*) memory=unlimited ;; *) memory=3000000 ;; esac  # sanitizers reserve a lot
browse() { (ulimit -v $memory; timeout 60 $prefix/bin/asp-cp "$@"); }
controls() { LC_ALL=C grep -c -P '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' <<< "$out$err"; }

server 'n = b"\x1b]0;x\x07 \xc2\x9b31m \x7f \xff"; say(tlv(2, tlv(1, text(1, n) + known + text(6, n) + text(8, n) + text(15, n))))'
for how in --ls '--ls --json'; do
  # shellcheck disable=SC2086  # words
  status 0 "$how: names with controls" browse $how node:/
  is "$(controls)" 0 'are shown without'
done
status 0 'JSON has them' python3 -c 'import json,sys; name = json.loads(sys.argv[1])[0]["entries"][0]["name"]; sys.exit(name[:5] != "\x1b]0;x" or "\x9b" not in name or "\x7f" not in name)' "$out"
server 'say(tlv(4, tlv(1, struct.pack(">i", 13)) + text(2, b"\x1b[31m \xc2\x9b")))'
status 77 'an error with controls' browse --ls node:/
is "$(controls)" 0 'is shown without'
server 'most = struct.pack(">i", 2**31 - 1); say(tlv(3, tlv(1, struct.pack(">q", 5)) + b"".join(tlv(i, most) for i in (2, 3, 4, 5))))'
status 0 'numbers as large as they may be' browse --du node:/
is "$out" '5 bytes, 2147483647 files, 2147483647 directories, 4294967294 not looked at: /' 'are added up'
server 'say(bytes(5 * 2**26))'
status 65 'millions of answers' browse --ls node:/
server 'say(tlv(2, bytes(5 * 2**26)))'
status 65 'millions of entries' browse --ls node:/
server 'say(tlv(2, tlv(1, bytes(5 * 2**26))))'
status 65 'an entry of millions of fields' browse --ls node:/
server 'say(tlv(2, tlv(1, text(1, b"x"))), tlv(6, b""))'
status 69 'one answer too many' browse --ls node:/
server 'sys.stdout.buffer.write(b"\x02\xff\xff\xff\xff")'
status 65 'a length beyond the end' browse --ls node:/
done_testing
