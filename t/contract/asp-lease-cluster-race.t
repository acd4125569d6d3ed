#!/usr/bin/env python3
"""Leases in a cluster: two nodes that serve at the same time give no port twice."""
import sys
sys.path.insert(0, sys.path[0] + "/../lib")
from cluster_story import *

masters(one, two)
configure(6000, 6059)
refusals = []
for _ in range(40):
    for node, socket_ in ((one, inner), (two, inner_two)):
        node.service.send(socket_, request="open", user="alice", destination="198.51.100.50", address="198.51.100.50", ssh_port="22", udp_ports="33001:33002" if _ % 7 == 0 else "33001:33001")
answers = [node.service.receive() for _ in range(40) for node in (one, two)]
given = [answer for answer in answers if answer["answer"] == "lease"]
codes = {answer["code"] for answer in answers if answer["answer"] == "refused"}
used = [port for answer in given for port in range(int(answer["udp_ports"].split(":")[0]), int(answer["udp_ports"].split(":")[1]) + 1)]
same(len(used), len(set(used)), "no port is leased twice")
ok(len(used) == 60, f"and all are leased ({len(used)} of 60)")
same(codes, {"ports_exhausted"}, "the rest is refused, since there are none left")
same(set(ports_of(redis)), set(used), "Redis has each of them")
for answer in given:
    for node in (one, two):
        if node.service.ask(request="close", user="alice", lease=answer["lease"])["answer"] == "lease":
            break
same(ports_of(redis), {}, "given back, all are free")

done()
