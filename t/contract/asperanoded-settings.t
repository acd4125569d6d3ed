#!/usr/bin/env python3
"""asperanoded: aspera.conf is changed while it runs."""
import re, signal, sys
sys.path.insert(0, sys.path[0] + "/../lib")
from node_story import *

node = start()

configure("<enabled>true</enabled><cleanup_interval>1</cleanup_interval><keepalive_interval>1</keepalive_interval>")
status, short, _ = once("POST", "/proxy/leases", TO_SERVER)
ok(status == 201 and short["renew_seconds"] == 1 and re.match(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$", short["expires"]), "a changed aspera.conf is in force at once")
ok(until(lambda: once("GET", "/proxy/leases/" + short["id"])[0] == 404, 8), "what is over is swept away")
write(CONF, "<CONF><server><proxy><bogus/></proxy></server></CONF>")
since = len(log())
node.send_signal(signal.SIGHUP)
ok(until(lambda: re.search(r"asperanoded.*ERR .*bogus: unknown element.*stays in force", log()[since:]), 3), "SIGHUP with a wrong file: the log says so")
same(once("GET", "/info")[1]["lifetime_seconds"], 1, "and nothing changes")
configure("<enabled>true</enabled><authentication>false</authentication>")
node.send_signal(signal.SIGHUP)
ok(until(lambda: "LOG Read " + CONF + " again" in log(), 3), "SIGHUP with a right one: says so, too")
nobody = {"user": None}
status, free, _ = once("POST", "/proxy/leases", TO_SERVER, nobody)
ok(status == 201 and "user" not in free, "without <authentication> anybody may")
no(404, "not_found", once("DELETE", "/proxy/leases/" + free["id"], client=nobody | {"namespace": "inner2", "address": "203.0.113.17"}), "the lease is of the address that asked")
same(once("DELETE", "/proxy/leases/" + free["id"], client=nobody)[0], 204, "which may end it")
no(403, "forbidden", once("GET", "/metrics", client=nobody), "metrics are not for anybody")
configure()

done()
