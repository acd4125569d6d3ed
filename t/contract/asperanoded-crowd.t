#!/usr/bin/env python3
"""asperanoded: 1,000 leases by 50 clients at a time, and nothing left of them."""
import concurrent.futures, os, re, sys, time
sys.path.insert(0, sys.path[0] + "/../lib")
from node_story import *

node = start()

def size():
    fds = len(os.listdir(f"/proc/{node.pid}/fd"))
    rss = int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{node.pid}/status").read())[1])
    return fds, rss


def work(number, leases=20):
    keep, took = number % 2 == 0, []
    client = Client(tls=number % 4 == 0) if keep else None
    for _ in range(leases):
        began = time.monotonic()
        c = client or Client()
        lease = c.lease()
        took.append((time.monotonic() - began, c.status))
        statuses = [c.status]
        for method in "PUT", "DELETE":
            c = client or Client()
            c.ask(method, "/proxy/leases/" + lease.get("id", "none"))
            statuses.append(c.status)
            keep or c.close()
        took[-1] += (statuses,)
    if client:
        client.close()
    return took


def many(clients, leases=20):
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        return [one for got in pool.map(lambda n: work(n, leases), range(clients)) for one in got]


many(50, 4)
before = size()
got = many(50)
same([one[2] for one in got if one[2] != [201, 200, 204]], [], "1,000 leases opened, renewed and closed by 50 clients at a time")
ok(until(lambda: size()[0] <= before[0] + 3, 5), "no descriptor is left") or print(f"# {before} {size()}")
ok(size()[1] <= before[1] + 8000, "nor memory") or print(f"# {before} {size()}")

done()
