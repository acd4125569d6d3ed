#!/usr/bin/env python3
"""Leases in a cluster: who gives them, what Redis has of them, and what the other node knows."""
import sys
sys.path.insert(0, sys.path[0] + "/../lib")
from cluster_story import *

# --- who gives leases ------------------------------------------------------

refused(one.service.open(inner), "standby", "nobody has said that it is master")
one.asperaproxy("takeover")
two.asperaproxy("standby")
same((one.role(), two.role()), ("informed", "standby"), "who was told knows his role")
refused(two.service.open(inner_two), "standby", "the standby gives none")
first = leased(one.service.open(inner), "the master does")
same(first["proxy"], "203.0.113.5", "at the shared address")
same(leased(one.service.open(inner_own), "asked at its own address")["proxy"], "203.0.113.5", "it gives the shared one all the same")
six = leased(one.service.open(inner6, destination="2001:db8:1::50", address="2001:db8:1::50"), "IPv6")
same(six["proxy"], "2001:db8:2::5", "likewise")
refused(two.service.ask(request="renew", user="alice", lease=first["lease"]), "standby", "the standby renews none")
refused(two.service.ask(request="show", user="alice", lease=first["lease"]), "standby", "nor shows any")

through = tcp_through("inner", first, server)
ok(through and alive(through), "TCP goes through")
same(through and through[2], "198.51.100.39", "from the shared address outside, which the other node would have, too")
udp = Udp("inner", first)
same(udp.arrives(server.udp[33001]), "198.51.100.39", "so does UDP")
udp6 = Udp("inner", six)
same(udp6.arrives(server6.udp[33001]), "2001:db8:1::39", "and UDP of IPv6")

# --- what Redis has --------------------------------------------------------

same(leases_of(redis), one.records(), "Redis has the leases")
same(ports_of(redis)[int(first["ssh_port"])], first["lease"], "and whose the ports are")
text = redis.cli("HGET", "sallyport:lease:" + first["lease"], "record")
ok("deadline=0" in text.splitlines() and "packets=" not in text, "no clock of this host is in it")
left = int(redis.cli("PTTL", "sallyport:lease:" + first["lease"])) // 1000
ok(7200 < left <= 7260, f"it ends by itself two hours after the lease ({left} s)")
ok(7200 < int(redis.cli("TTL", f"sallyport:lease-port:{first['ssh_port']}")) <= 7260, "and so do its ports")

# --- the other takes over --------------------------------------------------

three = leased(one.service.open(inner, udp_ports="33001:33002"), "a lease of two ports")
gone = leased(one.service.open(inner, user="bob"), "one that is given back")
leased(one.service.ask(request="close", user="bob", lease=gone["lease"]), "to the master")
ok(gone["lease"] not in leases_of(redis), "Redis does not have it any more")
all_leases = leases_of(redis)
status, said, _ = two.asperaproxy("takeover")
same(two.elements(), all_leases, "takeover lays all leases")
same(two.records(), all_leases, "and has them on record")
same(two.role(), "informed", "it knows all of them")
one.asperaproxy("standby")
same((one.elements(), one.records()), (set(), set()), "the standby has none in its kernel, and none on record")
same(leases_of(redis), all_leases, "in Redis they are")
ok("type nat hook prerouting" in one.run("nft", "list", "table", "inet", "sallyport_lease")[1], "its chains of NAT stay")
flows = one.flows()
one.reap()
ok(one.flows() == flows > 0, "asp-reap on the standby leaves the flows of leases alone")
same(leases_of(redis), all_leases, "and the leases in Redis")
same(two.service.ask(request="renew", user="alice", lease=first["lease"]).get("answer"), "lease", "it can be renewed at the survivor")
refused(two.service.ask(request="renew", user="bob", lease=first["lease"]), "not_found", "by its owner alone")
same(two.service.ask(request="close", user="alice", lease=three["lease"]).get("answer"), "lease", "and given back there")
ok(three["lease"] not in leases_of(redis), "then Redis does not have it")
ok(three["lease"] not in ports_of(redis).values(), "and its ports are free")
same(two.service.ask(request="count")["leases"], str(len(leases_of(redis))), "the owners' leases are counted there")

# --- two masters -----------------------------------------------------------

# Neither hears the other: both serve. What one renews, the other must not end.
one.asperaproxy("takeover")
ok(first["lease"] in one.records(), "two masters: both know a lease")
two.service.ask(request="renew", user="alice", lease=first["lease"])
one.change(first["lease"], deadline=1)
one.service.ask(request="sweep")
ok(first["lease"] not in one.elements(), "its time is over here: the rule goes")
ok(first["lease"] in leases_of(redis) and first["lease"] in two.elements(), "the other one renewed it: it goes on there, and in Redis")
two.service.ask(request="close", user="alice", lease=six["lease"])
one.reap()
ok(six["lease"] not in leases_of(redis), "what was given back at one")
ok(until(lambda: (one.service.ask(request="sweep"), six["lease"] not in one.elements())[1]), "is not brought back by the other, and ends there, too")
for node in (one, two):
    for lease in list(node.records()):
        node.service.ask(request="close", user="alice", lease=lease)
same((leases_of(redis), ports_of(redis)), (set(), {}), "all given back: Redis has nothing left")

done()
