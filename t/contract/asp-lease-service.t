#!/usr/bin/env python3
"""asp-lease: leases in asp-sessions, asperaproxy drain, stop and start."""
import json, sys
sys.path.insert(0, sys.path[0] + "/../lib")
from lease_story import *

four = Listener("203.0.113.1")
six = Listener("2001:db8:2::1")
server4 = Server("outer", "198.51.100.50", 22, [33001, 33002, 33003])
server6 = Server("outer", "2001:db8:1::50", 22, [33001, 33002, 33003])
inner = four.connect("inner")[1]
inner6 = six.connect("inner")[1]
lease = Lease()

proxy = PREFIX + "/bin/asperaproxy"
one, one6 = lease.open(inner), lease.open(inner6, destination=server6.address, address=server6.address)
pair, pair6 = tcp_through("inner", one, server4), tcp_through("inner", one6, server6)
ok(pair and pair6 and alive(pair) and alive(pair6), "two leases, with a connection each")
code, out, err = run(PREFIX + "/bin/asp-sessions", "--leases")
ok(code == 0 and len(out.splitlines()) == 3 and one["lease"] in out and "198.51.100.50:22" in out, "asp-sessions --leases")
found = {each["lease"]: each for each in json.loads(run(PREFIX + "/bin/asp-sessions", "--leases", "--json")[1])}
ok(found[one["lease"]]["flows"] >= 1 and found[one["lease"]]["to_server"]["packets"] > 0, "as JSON, with what it carried")
same(run(PREFIX + "/bin/asp-sessions", "--kill", one6["lease"])[:2], (0, f"ended lease={one6['lease']}\n"), "asp-sessions --kill ends one")
same(alive(pair6), False, "and its connection")
ok(logged("ended by root (uid 0)"), "and logs who did")
same(run(PREFIX + "/bin/asp-sessions", "--kill", one6["lease"])[0], 1, "but once")
like = run(proxy, "status")[1]
ok("leases=1\n" in like, "asperaproxy status counts them")
run(proxy, "drain")
refused(lease.open(inner), "drained", "drained: no new lease")
leased(lease.ask(request="renew", user="alice", lease=one["lease"]), "but renewals go on")
run(proxy, "undrain")
leased(lease.open(inner), "undrained")
ok("and 2 leases ended" in run(proxy, "stop")[1], "asperaproxy stop ends all leases")
same(alive(pair), False, "the connection, too")
same(run("nft", "list", "table", "inet", "sallyport_lease")[0], 1, "and takes the table away")
nothing_left("nothing is left")
refused(lease.open(inner), "stopped", "stopped: no new lease")
reap()
same(run("nft", "list", "table", "inet", "sallyport_lease")[0], 1, "nor does asp-reap lay the table")
ok(run(proxy, "start")[0] == 0, "started again")
one = leased(lease.open(inner), "leases are given again")
ok(Udp("inner", one).arrives(server4.udp[33001]), "and work")
lease.ask(request="close", user="alice", lease=one["lease"])

lease.end()
done()
