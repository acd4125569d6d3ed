#!/usr/bin/env python3
"""asp-lease: where a lease may lead, by address and by name."""
import contextlib, os, subprocess, sys
sys.path.insert(0, sys.path[0] + "/../lib")
from lease_story import *

four = Listener("203.0.113.1")
six = Listener("2001:db8:2::1")
inner = four.connect("inner")[1]
inner6 = six.connect("inner")[1]
lease = Lease()

for address in ("127.0.0.1", "0.0.0.0", "203.0.113.1", "198.51.100.1", "224.0.0.1", "169.254.1.1", "255.255.255.255", "240.0.0.1"):
    refused(lease.open(inner, destination=address, address=address), "destination_denied", address)
    refused(lease.open(inner, destination="server.example.com", address=address), "destination_denied", f"a name for {address}")
for address in ("::1", "::", "2001:db8:1::1", "fe80::1", "ff02::1", "64:ff9b::7f00:1", "64:ff9b::203.0.113.1", "2002:cb00:7101::"):
    refused(lease.open(inner6, destination=address, address=address), "destination_denied", address)
# Without a list: neither private networks nor those that the proxy is in.
configure(allowed="")
for address in ("198.51.100.50", "198.51.100.51", "203.0.113.18", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1"):
    refused(lease.open(inner, destination=address, address=address), "destination_denied", f"without a list: {address}", "is not among the allowed destinations")
refused(lease.open(inner, destination="server.example.com", address="198.51.100.50"), "destination_denied", "nor a name for one", "server.example.com is not among the allowed destinations")
ok(logged("Refused a lease to user=alice: server.example.com is not among the allowed destinations (198.51.100.50): this host is in the network of 198.51.100.0/24"), "the log says why")
for address in ("2001:db8:1::50", "2001:db8:3::2", "fd00::1", "fec0::1", "64:ff9b::c633:6432", "64:ff9b::10.0.0.1", "2002:0a00:0001::1"):
    refused(lease.open(inner6, destination=address, address=address), "destination_denied", f"without a list: {address}")
leased(lease.open(inner, destination="192.0.2.9", address="192.0.2.9"), "but others")
# Nor, whatever is allowed, what the proxies themselves are.
CLUSTER = """<cluster><enabled>false</enabled><nodes><node name="one">192.0.2.11</node><node name="two">192.0.2.12</node></nodes>
<outside_interface>to-outer</outside_interface><outside_addresses>198.51.100.39/24</outside_addresses><sync_interface>to-inner2</sync_interface>
<redis>192.0.2.11:6379, 192.0.2.14:6379</redis><sentinels>192.0.2.13:26379</sentinels></cluster>"""
configure(extra=CLUSTER)
for address in ("192.0.2.11", "192.0.2.12", "192.0.2.13", "192.0.2.14", "198.51.100.39"):
    refused(lease.open(inner, destination=address, address=address), "destination_denied", f"of the cluster: {address}", "is the proxy's own address")
for address in ("64:ff9b::192.0.2.12", "2002:c000:20c::1"):
    refused(lease.open(inner6, destination=address, address=address), "destination_denied", f"of the cluster: {address}")
leased(lease.open(inner, destination="192.0.2.9", address="192.0.2.9"), "but others")
configure("<denied_destinations>198.51.100.51 *.example.com:33002</denied_destinations>")
refused(lease.open(inner, destination="198.51.100.51", address="198.51.100.51"), "destination_denied", "a denied address")
refused(lease.open(inner, destination="x.example.com", udp_ports="33001:33003"), "destination_denied", "a denied port of a name")
configure("<allowed_destinations>198.51.100.50:22 server.example.com:33001</allowed_destinations>")
refused(lease.open(inner, ssh_port="23"), "destination_denied", "a port that is not allowed")
refused(lease.open(inner), "destination_denied", "allowed by a name, but asked for by address")
configure("<allowed_destinations>server.example.com</allowed_destinations>")
named = leased(lease.open(inner, destination="Server.Example.COM."), "allowed by name")
same((named.get("destination"), named.get("address")), ("server.example.com", "198.51.100.50"), "the name and the address")
refused(lease.open(inner, destination="server.example.com", address="198.51.100.51"), "destination_denied", "a name with an address that is not its", "does not have that address")
refused(lease.open(inner, destination="other.example.com", address="198.51.100.51"), "destination_denied", "another name")
with open("/etc/hosts", "r+") as f:
    kept = f.read()
    f.seek(0)
    f.truncate()
    f.write(kept.replace("198.51.100.50", "198.51.100.51"))
refused(lease.open(inner, destination="server.example.com"), "destination_denied", "a name whose answer changed meanwhile")
with open("/etc/hosts", "w") as f:
    f.write(kept)
# A name that waits does not hold up those with a tag: nobody writes the file of names
# until the other is answered.
os.mkfifo("/opt/names")
subprocess.run(["mount", "--bind", "/opt/names", "/etc/hosts"], check=True)
lease.send(inner, request="open", tag="slow", user="alice", destination="server.example.com", address="198.51.100.50", ssh_port="22", udp_ports="33001:33001")
lease.send(None, request="count", tag="fast")
tags = [lease.receive().get("tag")]
unread = []


def being_read():
    """There is somebody who reads; until then, the file cannot be opened for writing so."""
    with contextlib.suppress(OSError):
        unread.append(os.open("/opt/names", os.O_WRONLY | os.O_NONBLOCK))
    return unread


ok(until(being_read), "(a name is being looked up)")
subprocess.run(["umount", "-l", "/etc/hosts"], check=True)
os.close(unread[0])  # nothing in it: whoever reads it knows no name
tags.append(lease.receive().get("tag"))
same(tags, ["fast", "slow"], "an answer with a tag comes as soon as it can")
leased(lease.open(inner6, destination="server.example.com", address="2001:db8:1::50"), "IPv6, allowed by name")
give_back(lease)
nothing_left("all given back: no record, element, port, index or flow")

lease.end()
done()
