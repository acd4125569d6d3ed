"""The stories of asp-lease.t, which makes the networks that they are set in."""
import contextlib, json, os, random, signal, socket, subprocess, time
from lease import *

PREFIX = "/opt/aspera/proxy"
NODE = 64321
CONF = PREFIX + "/etc/aspera.conf"
LEASES = "/run/sallyport/leases"


def configure(proxy="", listen="9091", extra=""):
    text = f"""<CONF version="2"><server>
<listen>{listen}</listen>{extra}
<proxy><enabled>true</enabled>{proxy}</proxy></server></CONF>
"""
    with open(CONF + ".new", "w") as f:
        f.write(text)
    os.rename(CONF + ".new", CONF)


def users(*lines):
    name = PREFIX + "/etc/node_users.conf"
    with open(name + ".new", "w") as f:
        f.writelines(line + "\n" for line in lines)
    os.chown(name + ".new", 0, NODE)
    os.chmod(name + ".new", 0o640)
    os.rename(name + ".new", name)


def run(*argv):
    done = subprocess.run(argv, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def mapped():
    """Elements in force, by lease."""
    found = {}
    for word in run("nft", "list", "table", "inet", "sallyport_lease")[1].split('comment "')[1:]:
        found[word[:36]] = found.get(word[:36], 0) + 1
    return found


def names(directory):
    return set(os.listdir("/run/sallyport/" + directory)) if os.path.isdir("/run/sallyport/" + directory) else set()


def recorded():
    return {name for name in names("leases") if not name.startswith(".")}


def ports():
    return {int(name): os.readlink("/run/sallyport/lease_ports/" + name) for name in names("lease_ports") if name.isdigit()}


def owned():
    return {id for owner in names("lease_owners") for id in names("lease_owners/" + owner)}


def marked_flows():
    return [line for family in ("ipv4", "ipv6") for line in run("conntrack", "-L", "-f", family, "-m", "0x18000000/0x18000000")[1].splitlines()]


def nothing_left(name):
    same((recorded(), mapped(), ports(), owned(), marked_flows()), (set(), {}, {}, set(), []), name)


def change_record(id, **fields):
    """As if time had passed."""
    path = f"/run/sallyport/leases/{id}"
    with open(path) as f:
        record = dict(line.split("=", 1) for line in f.read().splitlines() if line)
    record.update({name: str(value) for name, value in fields.items()})
    with open(path, "w") as f:
        f.writelines(f"{name}={value}\n" for name, value in record.items())
    os.utime(path, (0 if "ending" in fields else int(record["deadline"]),) * 2)


def logged(pattern):
    def there():
        with open(os.environ["TMP"] + "/syslog") as f:
            return pattern in f.read()
    return until(there, 3)


def reap():
    return run(PREFIX + "/bin/asp-reap")


HASH = "$y$j9T$abcdefghijklmnop$" + "a" * 43
configure()
users(f"alice:{HASH}:nobody:", f"bob:{HASH}:nobody:", f"operator:{HASH}:nobody:admin")
PROGRAM = PREFIX + "/libexec/asp-lease"

# --- who may call it -------------------------------------------------------------

seqpacket = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def call(*arguments, uid=str(NODE), stdin=seqpacket[1], stdout=seqpacket[1], **more):
    done = subprocess.run([PROGRAM, *arguments], stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, text=True,
                          env={} if uid is None else {"SUDO_UID": uid}, timeout=10, **more)
    return done.returncode, done.stderr.strip()


same(call("x"), (64, "asp-lease: asp-lease takes no arguments"), "no arguments are taken")
same(call("--help")[0], 64, "not even --help")
same(call(uid=None)[0], 77, "root without sudo: refused")
same(call(uid="0"), (77, "asp-lease: only sallyport-node may ask for leases"), "sudo for root: refused")
same(call(uid="65534")[0], 77, "sudo for somebody else: refused")
same(call(uid=str(NODE) + " ")[0], 77, "a SUDO_UID that is no number: refused")
same(call(user=NODE, group=NODE)[0], 77, "without root's rights: refused")
same(call(stdin=subprocess.DEVNULL)[0], 77, "stdin that is no socket: refused")
stream = socket.socketpair()
same(call(stdin=stream[1], stdout=stream[1])[0], 77, "a stream: refused")
same(recorded() | names("lease_ports"), set(), "and nothing was made")

# --- what it reads, and whom it believes --------------------------------------------

four = Listener("203.0.113.1")
six = Listener("2001:db8:2::1")
other_port = Listener("203.0.113.1", 9092)
server4 = Server("outer", "198.51.100.50", 22, [33001, 33002, 33003])
server6 = Server("outer", "2001:db8:1::50", 22, [33001])
far_end, inner = four.connect("inner")
far_six, inner6 = six.connect("inner")
lease = Lease(PROGRAM, NODE)


def ask_bytes(data, descriptors=()):
    lease.send_bytes(data, descriptors)
    return lease.receive()


OPEN = b"request=open\nuser=alice\ndestination=198.51.100.50\naddress=198.51.100.50\nssh_port=22\nudp_ports=33001:33001\n"
for data, name in ((b"garbage\n\n", "garbage"), (b"\n", "an empty record"), (b"request=fly\n\n", "no such request"),
                   (b"user=alice\n\n", "no request"), (b"request=show\nrequest=list\n\n", "two requests"),
                   (b"request=list\nuser=alice\nuser=bob\n\n", "two users"), (b"request=count\nuser=alice\n\n", "a user too many"),
                   (b"request=list\nuser=al\0ice\n\n", "a NUL"), (b"request=list\n\nuser=alice\n\n", "two records"),
                   (b"request=list\ntag=" + b"x" * 65 + b"\n\n", "a long tag"), (b"request=list\n\n", "no user"),
                   (b"request=show\nuser=alice\n\n", "no lease"), (b"#" * 9000, "a packet over 8 KiB")):
    refused(ask_bytes(data), "bad_request", name)
refused(ask_bytes(b"request=\x1b]0;x\x07\n\n"), "bad_request", "an escape sequence")
for field in ("destination", "address", "ssh_port", "udp_ports"):
    refused(lease.open(inner, **{field: None}), "bad_request", f"open without {field}", field)
for field, value in (("ssh_port", "0"), ("ssh_port", "65536"), ("ssh_port", "22 "), ("udp_ports", "5:4"), ("udp_ports", "1-2"), ("udp_ports", "1:101"),
                     ("address", "198.51.100"), ("address", "server.example.com"), ("destination", "a b"), ("destination", "127.1"),
                     ("destination", "198.51.100.51"), ("destination", "-x"), ("destination", "x; drop"), ("client", "203.0.113.3"),
                     ("ssh_ports", "1"), ("proxy", "203.0.113.1")):
    refused(lease.open(inner, **{field: value}), "bad_request", f"open with {field}={value}")
refused(lease.open(inner, address="2001:db8:1::50", destination="2001:db8:1::50"), "bad_request", "an IPv6 address for an IPv4 client", "not both IPv4")

refused(lease.open(None), "bad_request", "no connection", "no connection came along")
refused(ask_bytes(OPEN + b"\n", [inner, inner]), "bad_request", "two connections")
reader, writer = os.pipe()
refused(lease.open(reader), "bad_request", "a pipe for a connection", "no established TCP connection")
refused(lease.open(four.socket), "bad_request", "a listener", "no established TCP connection")
datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagram.connect(("203.0.113.2", 9))
refused(lease.open(datagram), "bad_request", "a UDP socket", "no established TCP connection")
refused(lease.open(socket.socketpair()[0]), "bad_request", "a Unix socket", "no established TCP connection")
gone, closed = four.connect("inner")
closed.shutdown(socket.SHUT_RDWR)
refused(lease.open(closed), "bad_request", "a connection that is closing", "no established TCP connection")
refused(lease.open(far_end), "bad_request", "the client's own end of it", "another network namespace")
refused(lease.open(other_port.connect("inner")[1]), "bad_request", "a connection to another port", "not made to the node service")
# The service's account can have a network of its own, with anybody's addresses.
run("ip", "netns", "add", "forged")
for command in ("link set lo up", "address add 203.0.113.1/32 dev lo", "address add 203.0.113.2/32 dev lo"):
    run("ip", "-n", "forged", *command.split())
forger = make("forged", "203.0.113.1", socket.SOCK_STREAM)
forger.bind(("203.0.113.1", 9091))
forger.listen()
forged = make("forged", "203.0.113.1", socket.SOCK_STREAM)
forged.bind(("203.0.113.2", 0))
forged.connect(("203.0.113.1", 9091))
refused(lease.open(forger.accept()[0]), "bad_request", "a connection in a network of one's own", "another network namespace")
refused(lease.open(four.connect(None)[1]), "forbidden", "the proxy itself as a client")
refused(lease.open(inner, user="mallory"), "forbidden", "a user that there is not")
refused(lease.open(inner, user="../alice"), "forbidden", "a user with a path in it")
refused(lease.open(inner, user=None), "bad_request", "no user")
same((recorded(), ports(), mapped()), (set(), {}, {}), "nothing was leased")

# --- where it may lead ---------------------------------------------------------------

for address in ("127.0.0.1", "0.0.0.0", "203.0.113.1", "198.51.100.1", "224.0.0.1", "169.254.1.1", "255.255.255.255", "240.0.0.1"):
    refused(lease.open(inner, destination=address, address=address), "destination_denied", address)
    refused(lease.open(inner, destination="server.example.com", address=address), "destination_denied", f"a name for {address}")
for address in ("::1", "::", "2001:db8:1::1", "fe80::1", "ff02::1", "64:ff9b::7f00:1", "64:ff9b::203.0.113.1", "2002:cb00:7101::"):
    refused(lease.open(inner6, destination=address, address=address), "destination_denied", address)
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
for one in lease.list(user="alice")[0]:
    lease.ask(request="close", user="alice", lease=one["lease"])
nothing_left("all given back: no record, element, port, index or flow")
configure()

# --- what passes ------------------------------------------------------------------------

for about, listener, server, near, socket_of in (("IPv4", four, server4, inner, "203.0.113."), ("IPv6", six, server6, inner6, "2001:db8:")):
    address = server.address
    v4 = about == "IPv4"
    udp_ports = "33001:33003" if v4 else "33001:33001"
    one = leased(lease.open(near, destination=address, address=address, udp_ports=udp_ports), f"{about}: a lease")
    same(one["proxy"], listener.at[0], f"{about}: at the address that was called")
    pair = tcp_through("inner", one, server)
    ok(pair and alive(pair), f"{about}: SSH passes")
    outside = "198.51.100.1" if v4 else "2001:db8:1::1"
    same(pair and pair[2], outside, f"{about}: the server sees the proxy alone")
    flow = Udp("inner", one)
    same(flow.arrives(server.udp[33001]), outside, f"{about}: UDP passes, and the server sees the proxy alone")
    ok(flow.answered(server.udp[33001]), f"{about}: and so do answers")
    if v4:
        for i, port in enumerate((33001, 33002, 33003)):
            ok(Udp("inner", one, i).arrives(server.udp[port]), f"IPv4: UDP port {i + 1} of a range leads to its own")
        same(Udp("inner", one, 3).arrives(server.udp[33003]), None, "IPv4: the port behind the range leads nowhere")
        same(tcp_through("inner", {**one, "ssh_port": int(one["ssh_port"]) + 1}, server, timeout=0.3), None, "IPv4: nor does TCP to the second of its ports")
    else:
        ok(True, "IPv6: ports as with IPv4")
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
with open(os.environ["TMP"] + "/syslog") as f:
    ends = [line for line in f if "given back" in line]
ok(any("packets=" in line and "packets=0" not in line for line in ends), "with what it carried")

# --- whose it is -------------------------------------------------------------------------

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
users(f"alice:{HASH}:nobody:", f"bob:{HASH}:nobody:", f"operator:{HASH}:nobody:admin")
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
configure('<!-- broken -->', extra="<proxy></nonsense>")
refused(lease.open(inner), "internal", "a broken configuration")
configure("<enabled>false</enabled>".replace("<enabled>false</enabled>", ""))
for one in lease.list(user="operator")[0]:
    lease.ask(request="close", user="operator", lease=one["lease"])
nothing_left("all given back")

# --- ports --------------------------------------------------------------------------------

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
for one in lease.list(user="alice")[0]:
    lease.ask(request="close", user="alice", lease=one["lease"])
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
same(flow.arrives(server4.udp[33001]), server4.address and "198.51.100.1", "for the same client, a lease is a lease")
lease.ask(request="close", user="bob", lease=lease.list(user="bob")[0][0]["lease"])
nothing_left("all given back")

# --- how long it lives -----------------------------------------------------------------------

configure("<keepalive_interval>60</keepalive_interval><session_timeout>180</session_timeout>")
one = lease.open(inner)
same((one["renew_seconds"], one["lifetime"]), ("60", "180"), "both times set: renew at the smaller, ends at the larger")
configure("<session_timeout>0</session_timeout><keepalive_interval>90</keepalive_interval>")
two = lease.open(inner)
same((two["renew_seconds"], two["lifetime"]), ("30", "90"), "one time set: ends then, renew at a third")
configure("<session_timeout>2</session_timeout>")
short = lease.open(inner)
same((short["renew_seconds"], short["lifetime"]), ("1", "2"), "at least a second")
pair, flow = tcp_through("inner", short, server4), Udp("inner", short)
ok(pair and flow.arrives(server4.udp[33001]), "SSH and UDP through one that lives for 2 s")
change_record(short["lease"], lifetime="100")
renewed = leased(lease.ask(request="renew", user="alice", lease=short["lease"]), "renewed")
ok(int(renewed["deadline"]) > int(short["deadline"]) + 90, "its end is later")
time.sleep(2.2)
ok(lease.ask(request="sweep")["count"] == "0" and alive(pair) and Udp("inner", short).arrives(server4.udp[33001]), "and it lives on, also for new flows")
short = lease.open(inner)
pair2, flow2 = tcp_through("inner", short, server4), Udp("inner", short)
ok(pair2 and flow2.arrives(server4.udp[33001]), "another one for 2 s")
time.sleep(2.2)
same(Udp("inner", short).arrives(server4.udp[33001]), None, "nobody renewed it, nobody looked: no new flow begins")
refused(lease.ask(request="renew", user="alice", lease=short["lease"]), "not_found", "too late to renew it")
same(reap(), (0, "", ""), "asp-reap is silent")
same((alive(pair2), flow2.arrives(server4.udp[33001])), (False, None), "it ended the connection and the flow")
ok(short["lease"] not in recorded(), "and the lease")
ok(alive(pair), "not those of others")
configure()
unused, used = lease.open(inner), lease.open(inner)
same((unused["renew_seconds"], unused["lifetime"]), ("0", "0"), "no time set: it lives as long as its flows")
flow = Udp("inner", used)
flow.arrives(server4.udp[33001])
now = int(unused["deadline"]) - 60
for each in unused, used:
    change_record(each["lease"], deadline=now)
same(lease.ask(request="sweep")["count"], "1", "a minute later, one of them is over")
ok(used["lease"] in recorded() and unused["lease"] not in recorded(), "the one that was never used")
change_record(used["lease"], deadline=now)
flow.arrives(server4.udp[33001])
reap()
ok(used["lease"] in recorded(), "the other had packets in the last minute, as asp-reap sees")
change_record(used["lease"], deadline=now)
reap()
ok(used["lease"] not in recorded(), "then none for a minute")
same(flow.arrives(server4.udp[33001]), None, "so its flow is gone")
for one in lease.list(user="alice")[0]:
    lease.ask(request="close", user="alice", lease=one["lease"])
nothing_left("nothing is left")

# --- what others do to it -----------------------------------------------------------------------

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
run("nft", f"add element inet sallyport_lease lease4 {{ 203.0.113.18 . 203.0.113.17 . udp . 7777 : 198.51.100.50 . 33001 }}")
run("nft", f"delete element inet sallyport_lease lease4 {{ {one['client']} . {one['proxy']} . tcp . {one['ssh_port']} }}")
reap()
same(mapped(), {each["lease"]: 2 for each in (one, one6, two)}, "an element that is no lease's goes, one that is missing comes back")
ok("7777" not in run("nft", "list", "table", "inet", "sallyport_lease")[1], "without a comment, too")
same((reap(), logged("Reaped 1 mappings")), ((0, "", ""), True), "logged")
ok("rejected" not in (lease.ask(request="close", user="alice", lease=two["lease"])), "given back")
same(lease.end(), 0, "the node service goes away: asp-lease ends")
ok(alive(pair), "leases stay")
lease = Lease(PROGRAM, NODE)
leased(lease.ask(request="renew", user="alice", lease=one["lease"]), "and are known to the next one")

# --- service ----------------------------------------------------------------------------------------

proxy = PREFIX + "/bin/asperaproxy"
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

# --- many, and murder -----------------------------------------------------------------------------------

ASK = dict(request="open", user="alice", destination="198.51.100.50", address="198.51.100.50", ssh_port="22", udp_ports="33001:33001")


def together(count, requests):
    """Answers of that many requests, 50 of them on their way at a time."""
    answers = []
    sent = 0
    while len(answers) < count:
        while sent < count and sent - len(answers) < 50:
            descriptor, fields = requests(sent)
            lease.send(descriptor, **fields)
            sent += 1
        answers.append(lease.receive())
    return answers


opened = together(1000, lambda i: (inner, ASK))
same({each["answer"] for each in opened}, {"lease"}, "1,000 leases")
same(len({each["ssh_port"] for each in opened}), 1000, "each on a port of its own")
same(set(mapped()), recorded(), "all in force")
renewals = together(1000, lambda i: (None, dict(request="renew", user="alice", lease=opened[i]["lease"])))
same({each["answer"] for each in renewals}, {"lease"}, "renewed")
same(len(lease.list(user="alice")[0]), 1000, "listed")
closed = together(1000, lambda i: (None, dict(request="close", user="alice", lease=opened[i]["lease"])))
same({each["answer"] for each in closed}, {"lease"}, "given back")
nothing_left("nothing is left of them")

random.seed(6)
for round in range(4):
    for _ in range(200):
        lease.send(inner, **ASK)
    moment = random.randrange(1, 60)
    answered = [lease.receive() for _ in range(moment)] if round % 2 else []
    time.sleep(0 if round % 2 else random.random() / 10)
    lease.process.send_signal(signal.SIGKILL)
    lease.process.wait()
    lease.socket.settimeout(1)
    try:
        while True:
            answer = lease.receive()
            if not answer:
                break
            answered.append(answer)
    except OSError:
        pass
    lease.socket.close()
    reap()
    on_record = recorded()
    same({id: 2 for id in on_record}, mapped(), f"killed after {moment} answers, or some: each of {len(on_record)} leases has its elements")
    same((set(ports().values()), owned()), (on_record, on_record), "its port, and its owner")
    ok({each["lease"] for each in answered} <= on_record, f"and all {len(answered)} that were answered are there")
    lease = Lease(PROGRAM, NODE)
    if answered:
        ok(Udp("inner", answered[-1]).arrives(server4.udp[33001]), "and pass")
    # And in the midst of their end.
    pairs = [(each, Udp("inner", each)) for each in answered[:3]]
    for each, flow in pairs:
        flow.arrives(server4.udp[33001])
    for id in sorted(on_record):
        lease.send(None, request="close", user="alice", lease=id)
    time.sleep(random.random() / 20)
    lease.kill()
    reap()
    same({id: 2 for id in recorded()}, mapped(), "killed while they end: what is on record is in force")
    same((set(ports().values()), owned()), (recorded(), recorded()), "and nothing else")
    ended = [flow for each, flow in pairs if each["lease"] not in recorded()]
    same([flow.arrives(server4.udp[33001]) for flow in ended], [None] * len(ended), "no flow goes on without its lease")
    lease = Lease(PROGRAM, NODE)
    for id in recorded():
        lease.send(None, request="close", user="alice", lease=id)
    for id in recorded():
        pass
    until(lambda: lease.ask(request="count").get("leases") == "0")
    lease.end()
    lease = Lease(PROGRAM, NODE)
nothing_left("nothing is left")
lease.end()
done()
