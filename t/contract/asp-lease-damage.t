#!/usr/bin/env python3
"""asp-lease: what others do to the firewall is mended, and leases outlive the service."""
import re
import sys
sys.path.insert(0, sys.path[0] + "/../lib")
from lease_story import *

four = Listener("203.0.113.1")
six = Listener("2001:db8:2::1")
server4 = Server("outer", "198.51.100.50", 22, [33001, 33002, 33003])
server6 = Server("outer", "2001:db8:1::50", 22, [33001, 33002, 33003])
inner = four.connect("inner")[1]
inner6 = six.connect("inner")[1]
lease = Lease()

one, one6 = lease.open(inner), lease.open(inner6, destination=server6.address, address=server6.address)
pair, pair6 = tcp_through("inner", one, server4), tcp_through("inner", one6, server6)
run("nft", "delete", "table", "inet", "sallyport_lease")
same(Udp("inner", one).arrives(server4.udp[33001]), None, "somebody deletes the table: no new flow")
reap()
ok(alive(pair) and alive(pair6), "asp-reap: connections go on")
ok(Udp("inner", one).arrives(server4.udp[33001]) and Udp("inner", one6).arrives(server6.udp[33001]), "and new flows begin again")
ok(logged("Put back the mappings of 2 leases"), "logged")
run("nft", "flush", "ruleset")
run("iptables", "-P", "FORWARD", "DROP")
two = leased(lease.open(inner), "somebody flushes the whole ruleset: the next lease")
ok(Udp("inner", two).arrives(server4.udp[33001]), "works, through a FORWARD of DROP")
ok(Udp("inner", one).arrives(server4.udp[33001]), "and those of before do, too")
run("nft", "flush", "chain", "inet", "sallyport_lease", "prerouting")
reap()
ok(Udp("inner", one).arrives(server4.udp[33001]), "a chain that was flushed is filled again")
rules = run("nft", "-a", "list", "chain", "inet", "sallyport_lease", "prerouting")[1]
handle = re.search("@lease4.* handle ([0-9]+)", rules)[1]
run("nft", f"replace rule inet sallyport_lease prerouting handle {handle} ip daddr 203.0.113.17 return")
same(Udp("inner", one).arrives(server4.udp[33001]), None, "somebody puts another rule in the place of one: no new flow")
reap()
ok(Udp("inner", one).arrives(server4.udp[33001]), "the right one comes back")
run("nft", f"add element inet sallyport_lease lease4 {{ 203.0.113.18 . 203.0.113.17 . udp . 7777 : 198.51.100.50 . 33001 }}")
run("nft", f"delete element inet sallyport_lease lease4 {{ {one['client']} . {one['proxy']} . tcp . {one['ssh_port']} }}")
reap()
same(mapped(), {each["lease"]: 2 for each in (one, one6, two)}, "an element that is no lease's goes, one that is missing comes back")
ok("7777" not in run("nft", "list", "table", "inet", "sallyport_lease")[1], "without a comment, too")
same((reap(), logged("Reaped 1 mappings")), ((0, "", ""), True), "logged")
same(lease.ask(request="close", user="alice", lease=two["lease"])["answer"], "lease", "given back")
same(lease.end(), 0, "the node service goes away: asp-lease ends")
ok(alive(pair), "leases stay")
lease = Lease()
leased(lease.ask(request="renew", user="alice", lease=one["lease"]), "and are known to the next one")

lease.end()
done()
