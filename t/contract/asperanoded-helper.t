#!/usr/bin/env python3
"""asperanoded: its asp-lease may hang or die, and comes again; it ends with it."""
import concurrent.futures, os, signal, sys
sys.path.insert(0, sys.path[0] + "/../lib")
from node_story import *

node = start()

def helper():
    found = helpers()
    return found[0] if found else None


lease = once("POST", "/proxy/leases", TO_SERVER)[1]
old = helper()
before = count()
gone = connect("inner", PROXY4, 9091)
gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
os.kill(old, signal.SIGSTOP)
gone.sendall(b"POST /proxy/leases HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + LOGIN + b"\r\nContent-Length: 31\r\n\r\n" + b'{"destination":"198.51.100.50"}')
until(lambda: False, 0.5)  # it is on its way
gone.close()
os.kill(old, signal.SIGCONT)
same(once("POST", "/proxy/leases", TO_SERVER)[0], 201, "who asks after somebody who is gone gets a lease")
ok(until(lambda: count() == before + 1, 5), "who is gone has none")
os.kill(old, signal.SIGSTOP)
with concurrent.futures.ThreadPoolExecutor(5) as pool:
    waiting = [pool.submit(once, "POST", "/proxy/leases", TO_SERVER) for _ in range(5)]
    until(lambda: False, 0.3)
    os.kill(old, signal.SIGKILL)
    for one in waiting:
        no(503, "busy", one.result(), "asp-lease was killed meanwhile")
ok(until(lambda: once("GET", "/proxy/leases/" + lease["id"])[0] == 200), "a new one is started, and the lease is there")
ok(helper() not in (None, old), "another process")
node.kill()
node.wait()
ok(until(lambda: helper() is None), "when asperanoded is killed asp-lease ends, too")
node = start()
same(once("GET", "/proxy/leases/" + lease["id"])[0], 200, "started anew, it knows the lease")

done()
