#!/usr/bin/env python3
"""asp-lease: which ports a lease gets, and when they are free again."""
import socket, sys
sys.path.insert(0, sys.path[0] + "/../lib")
from lease_story import *

four = Listener("203.0.113.1")
server4 = Server("outer", "198.51.100.50", 22, [33001, 33002, 33003])
inner = four.connect("inner")[1]
lease = Lease()

configure("<port_range_low>6000</port_range_low><port_range_high>6004</port_range_high>")
first = [lease.open(inner)["ssh_port"] for _ in range(2)]
same(first, ["6000", "6001"], "ports are taken in turn")
busy = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
busy.bind(("0.0.0.0", 6002))
same(lease.open(inner)["ssh_port"], "6003", "not those that the host itself listens on")
busy.close()
refused(lease.open(inner, udp_ports="1:3"), "ports_exhausted", "three in a row, where there are none")
same(lease.open(inner)["ssh_port"], "6004", "the last one")
same(lease.open(inner)["ssh_port"], "6002", "and one that was passed over")
refused(lease.open(inner), "ports_exhausted", "a range that is exhausted")
held = {each["ssh_port"]: each["lease"] for each in lease.list(user="alice")[0]}
lease.ask(request="close", user="alice", lease=held["6001"])
lease.ask(request="close", user="alice", lease=held["6000"])
same(lease.open(inner)["ssh_port"], "6000", "what was given back is taken again")
again = lease.open(inner)
same(again["ssh_port"], "6001", "in turn")
# What came too early is in the way of what comes later from the same port.
lease.ask(request="close", user="alice", lease=again["lease"])
early = Udp("inner", again)
early.send()
again = lease.open(inner)
same(again["ssh_port"], "6001", "a port that somebody knocked at before")
ok(until(lambda: early.arrives(server4.udp[33001])), "is open to him now")
give_back(lease)
# Only once the flows of the last one are gone: without its element, a flow goes on.
configure("<port_range_low>6000</port_range_low><port_range_high>6000</port_range_high>")
one = lease.open(inner)
flow = Udp("inner", one)
ok(flow.arrives(server4.udp[33001]), "a flow through the only port")
change_record(one["lease"], ending="true")
ok(flow.arrives(server4.udp[33001]), "somebody died while he ended that lease")
refused(lease.open(inner, user="bob"), "ports_exhausted", "its port is not free")
same(lease.ask(request="sweep"), {"answer": "swept", "count": "1"}, "its end is finished")
same(flow.arrives(server4.udp[33001]), None, "the flow is gone")
leased(lease.open(inner, user="bob"), "then the port is free")
# What the flow tried in between is in the way for a moment, as above.
ok(until(lambda: flow.arrives(server4.udp[33001]) == "198.51.100.1"), "for the same client, a lease is a lease")
give_back(lease)
nothing_left("all given back")

lease.end()
done()
