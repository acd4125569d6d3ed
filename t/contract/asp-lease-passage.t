#!/usr/bin/env python3
"""asp-lease: what passes through a lease, for whom, and that it all ends with it."""
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

for about, listener, server, near, socket_of in (("IPv4", four, server4, inner, "203.0.113."), ("IPv6", six, server6, inner6, "2001:db8:")):
    address = server.address
    v4 = about == "IPv4"
    one = leased(lease.open(near, destination=address, address=address, udp_ports="33001:33003"), f"{about}: a lease")
    same(one["proxy"], listener.at[0], f"{about}: at the address that was called")
    pair = tcp_through("inner", one, server)
    ok(pair and alive(pair), f"{about}: SSH passes")
    outside = "198.51.100.1" if v4 else "2001:db8:1::1"
    same(pair and pair[2], outside, f"{about}: the server sees the proxy alone")
    flow = Udp("inner", one)
    same(flow.arrives(server.udp[33001]), outside, f"{about}: UDP passes, and the server sees the proxy alone")
    ok(flow.answered(server.udp[33001]), f"{about}: and so do answers")
    for i, port in enumerate((33001, 33002, 33003)):
        ok(Udp("inner", one, i).arrives(server.udp[port]), f"{about}: UDP port {i + 1} of a range leads to its own")
    same(Udp("inner", one, 3).arrives(server.udp[33003]), None, f"{about}: the port behind the range leads nowhere")
    same(tcp_through("inner", {**one, "ssh_port": int(one["ssh_port"]) + 1}, server, timeout=0.3), None, f"{about}: nor does TCP to the second of its ports")
    for namespace, source in (("inner2", None), ("inner", "203.0.113.3" if v4 else None)):
        if namespace == "inner" and not source:
            continue
        same(tcp_through(namespace, one, server, source, 0.3), None, f"{about}: no SSH for {source or namespace}")
        same(Udp(namespace, one, source=source).arrives(server.udp[33001]), None, f"{about}: no UDP for {source or namespace}")
    # Both end together, and at once.
    ok(alive(pair) and flow.arrives(server.udp[33001]) is not None, f"{about}: SSH and UDP still pass")
    same(lease.ask(request="close", user="alice", lease=one["lease"])["answer"], "lease", f"{about}: given back")
    nok_tcp, nok_udp = alive(pair), flow.arrives(server.udp[33001])
    same((nok_tcp, nok_udp), (False, None), f"{about}: the connection and the flow stop at once")
    same(tcp_through("inner", one, server, timeout=0.3), None, f"{about}: and no new connection is made")
    nothing_left(f"{about}: nothing is left")
    ok(logged(f"Leased lease={one['lease']} user=alice client={one['client']}"), f"{about}: logged, with whom")
    ok(logged(f"Ended lease={one['lease']} user=alice"), f"{about}: and its end")
ends = [line for line in log().splitlines() if "given back" in line]
ok(any("packets=" in line and "packets=0" not in line for line in ends), "with what it carried")

lease.end()
done()
