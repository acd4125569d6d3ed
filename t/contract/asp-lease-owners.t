#!/usr/bin/env python3
"""asp-lease: whose a lease is, who else may see or end it, and how many one may have."""
import sys
sys.path.insert(0, sys.path[0] + "/../lib")
from lease_story import *

four = Listener("203.0.113.1")
six = Listener("2001:db8:2::1")
inner = four.connect("inner")[1]
inner6 = six.connect("inner")[1]
lease = Lease()

one = leased(lease.open(inner), "a lease of alice")
for request in ("show", "renew", "close"):
    refused(lease.ask(request=request, user="bob", lease=one["lease"]), "not_found", f"{request} by bob")
    refused(lease.ask(request=request, user="alice", lease="../" + one["lease"]), "not_found", f"{request} of a path")
same(lease.list(user="bob")[0], [], "bob's list is empty")
same([each["lease"] for each in lease.list(user="alice")[0]], [one["lease"]], "alice's is not")
same([each["lease"] for each in lease.list(user="operator")[0]], [one["lease"]], "nor is the administrator's")
for request in ("show", "renew"):
    leased(lease.ask(request=request, user="operator", lease=one["lease"]), f"{request} by the administrator")
same(lease.ask(request="count"), {"answer": "count", "leases": "1"}, "count")
configure("<max_leases_per_user>2</max_leases_per_user>")
leased(lease.open(inner), "a second one, the limit")
refused(lease.open(inner), "too_many_leases", "a third one")
leased(lease.open(inner, user="bob"), "one of bob's")
users(f"bob:{HASH}:nobody:")
refused(lease.ask(request="renew", user="alice", lease=one["lease"]), "forbidden", "a user that was taken away: no renewal")
all_users()
leased(lease.ask(request="close", user="operator", lease=one["lease"]), "ended by the administrator")
configure("<authentication>false</authentication>")
refused(lease.open(inner), "bad_request", "authentication is off: a user is named", "authentication is off")
near3 = four.connect("inner", "203.0.113.3")[1]
mine = leased(lease.open(near3, user=None), "without users, a lease is its client's")
refused(lease.ask(inner, request="close", lease=mine["lease"]), "not_found", "another client cannot end it")
refused(lease.ask(None, request="close", lease=mine["lease"]), "bad_request", "nobody cannot, either")
same([each["lease"] for each in lease.list(near3)[0]], [mine["lease"]], "its list has it")
leased(lease.ask(near3, request="close", lease=mine["lease"]), "its client can")
configure("<authentication>true</authentication><bind_ip_address>203.0.113.1</bind_ip_address><bind_ip_netmask>255.255.255.240</bind_ip_netmask>")
leased(lease.open(inner), "a client of the proxy's network")
refused(lease.open(four.connect("inner2")[1]), "forbidden", "one of another")
refused(lease.open(inner6), "bad_request", "a connection to another address than the service's", "not made to the node service")
configure("<authentication>true</authentication><bind_ip_netmask>255.255.255.240</bind_ip_netmask>")
leased(lease.open(inner), "a netmask alone: a client of the network of the address that it called")
refused(lease.open(four.connect("inner2")[1]), "forbidden", "a netmask alone: one of another")
refused(lease.open(inner6), "forbidden", "a netmask alone: one by IPv6")
configure('<!-- broken -->', extra="<proxy></nonsense>")
refused(lease.open(inner), "internal", "a broken configuration")
configure()
give_back(lease)
nothing_left("all given back")

lease.end()
done()
