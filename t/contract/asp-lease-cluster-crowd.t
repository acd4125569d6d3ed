#!/usr/bin/env python3
"""Leases in a cluster: one node takes over ten thousand."""
import json, re, sys
sys.path.insert(0, sys.path[0] + "/../lib")
from cluster_story import *

masters(one)
good = good_record()
one.asperaproxy("standby")
configure(5000, 25000)


def take_over(count):
    """Of so many leases that only Redis has. Returns how many were laid, after how many ms."""
    redis.cli("FLUSHALL")
    lines = []
    for number in range(count):
        id, port = f"00000000-0000-4000-8000-{number:012d}", 5000 + number
        record = edit(good, number).replace("ID", id)
        record = re.sub(r"^ssh_port=.*$", f"ssh_port={port}", record, count=1, flags=re.M)
        record = re.sub(r"^udp_ports=.*$", f"udp_ports={port}:{port}", record, count=1, flags=re.M)
        lines.append("HSET sallyport:lease:{} record {} by proxy1\nSET sallyport:lease-port:{} {}\n".format(id, json.dumps(record), port, id))
    redis.cli(stdin="".join(lines))
    same(len(leases_of(redis)), count, f"{count} leases in Redis")
    (status, said, _), seconds = took(lambda: one.asperaproxy("takeover"))
    laid = re.findall(r"Became master of the cluster in (\d+) ms.* (\d+) laid after (\d+) ms", log())[-1]
    print(f"# takeover: {laid[1]} leases laid after {laid[2]} ms, all done after {seconds * 1000:.0f} ms", flush=True)
    same(len(one.elements()), count, "are laid by one takeover")
    return int(laid[2])


few = take_over(1000)
one.asperaproxy("standby")
many = take_over(10000)
ok(many < 30 * max(few, 100), "ten times as many do not take thirty times as long")

done()
