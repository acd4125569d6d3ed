#!/usr/bin/env python3
"""ascmd.py CASE COMMAND...: speaks the opening of `ascmd -V2` to COMMAND.

COMMAND is one that reaches an ascmd (ssh, with its options and `ascmd -V2`). The
far side is a stand-in (`ascmd.py --stand-in NAME` prints it) that reads its
input to the end and then says who it is, how many bytes came, and their
checksum. Prints `NAME whole`, or what went wrong.

The published opening is one line,

    as_session_init --protocol=2 --host=NAME

then lines such as `as_ls "/path"`, and `as_exit`.
"""
import hashlib
import subprocess
import sys
import time

HOST = "faspex.example.com"
LINE = f"as_session_init --protocol=2 --host={HOST}\n".encode()
REST = b'as_ls "/"\nas_exit\n'
PAUSE = 2.6  # longer than the proxy looks
START = 0.4  # for the proxy to begin to look, if the connection is there already

# What is written, piece by piece; a number is a pause in seconds.
CASES = {
    "whole": [LINE + REST],
    "line-then-rest": [START, LINE, 0.1, REST],
    "in-pieces": [START] + [part for byte in LINE for part in (bytes([byte]), 0.01)] + [REST],
    "cr-lf": [START, LINE.replace(b"\n", b"\r\n"), 0.1, REST],
    "with-port": [LINE.replace(b"com\n", b"com:33001\n"), REST],
    "upper-case": [LINE.replace(HOST.encode(), HOST.upper().encode()), REST],
    "no-newline": [START, LINE[:-1], PAUSE, b"\n" + REST],
    "no-newline-at-all": [LINE[:-1]],
    "large": [LINE + bytes(range(256)) * 4096],
    "large-garbage": [bytes(range(255, -1, -1)) * 4096],
    "nothing": [],
    "silent": [START + PAUSE, LINE + REST],
    "garbage": [b"\xff\xfe\x80 what\n" + LINE],
    "nul": [b"\0" + LINE],
    "nul-in-line": [LINE[:-1] + b"\0\n" + REST],
    "long-line": [b"as_session_init --host=" + b"a" * 10240 + b"\n" + REST],
    "long-line-in-pieces": [START, b"as_session_init --host=", 0.1] + [b"a" * 512] * 20 + [b"\n" + REST],
    "two-lines": [LINE + LINE.replace(b"faspex", b"other") + REST],
    "other-name": [LINE.replace(b"faspex", b"other"), REST],
    "no-name": [b"as_session_init --protocol=2\n" + REST],
    "hostile-name": [LINE.replace(HOST.encode(), b"$(id);../..\\"), REST],
    "other-command": [b"SSH-2.0-whatever\r\n", 0.1, REST],
}

STAND_IN = """#!/usr/bin/env python3
import hashlib, os
digest, count = hashlib.sha256(), 0
while chunk := os.read(0, 65536):
    digest.update(chunk)
    count += len(chunk)
print("@NAME@", count, digest.hexdigest())
"""


def main():
    if sys.argv[1] == "--stand-in":
        sys.stdout.write(STAND_IN.replace("@NAME@", sys.argv[2]))
        return
    pieces = CASES[sys.argv[1]]
    process = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    sent = b""
    for piece in pieces:
        if isinstance(piece, float):
            time.sleep(piece)
            continue
        sent += piece
        process.stdin.write(piece)
        process.stdin.flush()
    out, err = process.communicate(timeout=30)
    words = out.decode(errors="replace").split()
    if process.returncode != 0 or len(words) != 3:
        print("failed", process.returncode, out, err)
        return
    name, count, digest = words
    same = int(count) == len(sent) and digest == hashlib.sha256(sent).hexdigest()
    print(name, "whole" if same else f"CHANGED: {count} bytes of {len(sent)}")


main()
