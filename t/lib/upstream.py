#!/usr/bin/env python3
"""upstream.py [OPTION...] [NAME=VALUE...]: asks asp-upstream by hand, as somebody
would who broke out of aspshell.

Run inside an SSH session (SSH_CONNECTION). NAME=VALUE goes into the request,
instead of what is honest; NAME= leaves it out. Prints what asp-upstream answers,
then "output TEXT" with what the remote command said; exits with its status.
"""
import argparse
import os
import select
import socket
import subprocess
import sys
import time

p = argparse.ArgumentParser()
p.add_argument("--helper", default="sudo -n -u root -- /opt/aspera/proxy/libexec/asp-upstream")
p.add_argument("--pass", dest="passed", default="pipe,pipe,pipe", help="what to pass as descriptors: pipe, link, own, dir, epoll, proc, tty")
p.add_argument("--input", default="hello\n")
p.add_argument("--never-run", action="store_true")
p.add_argument("--say", default="run\n", help="instead of run, once connected")
p.add_argument("--flood", action="store_true", help="lines while it connects")
p.add_argument("--pieces", action="store_true", help="one byte at a time")
p.add_argument("--raw", help="instead of the request")
p.add_argument("--seconds", type=float, default=10)
p.add_argument("fields", nargs="*")
o = p.parse_args()

request = {"session": open("/proc/sys/kernel/random/uuid").read().strip(), "user": os.environ.get("USER", "nobody"), "command": "cat"}
if here := os.environ.get("SSH_CONNECTION", "").split():
    request |= {"client": f"{here[0]}:{here[1]}", "proxy": f"{here[2]}:{here[3]}"}
request |= dict(field.split("=", 1) for field in o.fields)
text = o.raw or "".join(f"{name}={value}\n" for name, value in request.items() if value) + "\n"

ours, theirs = socket.socketpair()
to_read, to_write = os.pipe()
out_read, out_write = os.pipe()
os.write(to_write, o.input.encode())
os.close(to_write)
made = {
    "pipe": lambda at: to_read if at == 0 else out_write,
    "link": lambda at: ours.fileno(),
    "own": lambda at: theirs.fileno(),
    "dir": lambda at: os.open("/", os.O_RDONLY),
    "epoll": lambda at: os.dup(select.epoll().fileno()),
    "proc": lambda at: os.open("/proc/self/stat", os.O_RDONLY),
    "tty": lambda at: os.openpty()[1],
    "path": lambda at: os.open("/", os.O_PATH),
}
descriptors = [made[kind](at) for at, kind in enumerate(o.passed.split(","))] if o.passed else []
started = time.monotonic()
helper = subprocess.Popen(o.helper.split(), stdin=theirs, stdout=subprocess.DEVNULL)
data = text.encode()
if o.pieces:
    socket.send_fds(ours, [data[:1]], descriptors)
    for n in range(1, len(data)):
        ours.send(data[n:n + 1])
elif descriptors:
    socket.send_fds(ours, [data], descriptors)
else:
    ours.send(data)
theirs.close()
if o.flood:
    try:
        for _ in range(100000):
            ours.send(b"x\n" * 500)
    except OSError:
        pass
os.close(out_write)
heard = b""
while (left := started + o.seconds - time.monotonic()) > 0:
    if not select.select([ours], [], [], left)[0]:
        break
    try:
        more = ours.recv(4096)
    except ConnectionResetError:
        more = b""
    heard += more
    if not more:
        break
    if b"connected " in heard and o.say and not o.never_run:
        ours.send(o.say.encode())
        o.say = ""
sys.stdout.write(heard.decode(errors="replace"))
ours.close()
said = b""
while select.select([out_read], [], [], 1 if o.passed == "pipe,pipe,pipe" else 0)[0] and (more := os.read(out_read, 4096)):
    said += more
print("output", said.decode(errors="replace").strip())
try:
    sys.exit(helper.wait(timeout=15))
except subprocess.TimeoutExpired:
    print("still running")
