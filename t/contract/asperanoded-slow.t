#!/usr/bin/env python3
"""asperanoded: who is slow, a client or a name server, holds up nobody else."""
import concurrent.futures, socket, sys, time
sys.path.insert(0, sys.path[0] + "/../lib")
from node_story import *

# Names that are not in /etc/hosts are for a name server that never answers.
silent = make(None, "127.0.0.1", socket.SOCK_DGRAM)
silent.bind(("127.0.0.1", 53))
for file, text in (("nsswitch.conf", "hosts: files dns\n"), ("resolv.conf", "nameserver 127.0.0.1\n")):
    write(f"{TMP}/slow-{file}", text)
    same(run("mount", "--bind", f"{TMP}/slow-{file}", f"/etc/{file}")[0], 0, f"(another {file})")
start()


def slow_client(data, every):
    s = connect("inner2", "203.0.113.17", 9091)
    began = time.monotonic()
    try:
        for byte in data:
            s.send(bytes([byte]))
            time.sleep(every)
        s.recv(1)
    except OSError:
        pass
    return time.monotonic() - began


# Judged at the end: these take as long as they are let.
slow = concurrent.futures.ThreadPoolExecutor(4)
slow_header = slow.submit(slow_client, b"GET /ping HTTP/1.1\r\nHost: x\r\n" + b"X: " + b"y" * 100, 1)
slow_body = slow.submit(slow_client, b"POST /proxy/leases HTTP/1.1\r\nHost: x\r\nContent-Length: 8000\r\n\r\n" + b" " * 100, 1)
mute = slow.submit(slow_client, b"", 1)

with concurrent.futures.ThreadPoolExecutor(60) as pool:
    waiting = [pool.submit(once, "POST", "/proxy/leases", {"destination": f"slow{i}.example.org"}) for i in range(60)]
    began = time.monotonic()
    same(once("POST", "/proxy/leases", TO_SERVER)[0], 201, "while 60 names are looked for")
    ok(time.monotonic() - began < 2, "a lease to an address comes soon")
answers = [one.result() for one in waiting]
same(sorted({(one[0], one[1]["error"]["code"]) for one in answers}), [(422, "unresolvable"), (503, "busy")], "the names are given up in time, or at once")


for name, one in (("header", slow_header), ("body", slow_body), ("nothing", mute)):
    seconds = one.result(timeout=40)
    ok(seconds < 30, f"who sends his {name} byte by byte is cut off") or print(f"# {seconds}")

done()
