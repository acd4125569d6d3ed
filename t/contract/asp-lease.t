#!/usr/bin/env python3
"""asp-lease: who may call it, what it reads, and whose connection it believes."""
import ctypes, errno, os, socket, subprocess, sys
sys.path.insert(0, sys.path[0] + "/../lib")
from lease_story import *

# --- who may call it -------------------------------------------------------------

seqpacket = pair_of(NODE_UID)


def call(*arguments, stdin=seqpacket[1], stdout=seqpacket[1], **more):
    done = subprocess.run([PROGRAM, *arguments], stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, text=True,
                          env={"SUDO_UID": str(NODE_UID)}, timeout=10, **more)
    return done.returncode, done.stderr.strip()


same(call("x"), (64, "asp-lease: asp-lease takes no arguments"), "no arguments are taken")
same(call("--help")[0], 0, "but --help, which tells nothing about the host")
for uid, name in ((0, "root"), (65534, "somebody else"), (1, "another account")):
    theirs = pair_of(uid)
    same(call(stdin=theirs[1], stdout=theirs[1]), (77, "asp-lease: only the account of the node service may ask for leases"), f"{name}'s connection, whatever SUDO_UID is: refused")
same(call(user=NODE_UID, group=NODE_UID)[0], 77, "without root's rights: refused")
same(call(stdout=subprocess.DEVNULL)[0], 77, "an answer to no socket: refused")
stream = pair_of(NODE_UID, socket.SOCK_STREAM)
same(call(stdin=stream[1], stdout=stream[1])[0], 77, "a stream: refused")
same(recorded() | names("lease_ports"), set(), "and nothing was made")

# --- where it waits, without systemd --------------------------------------------------

SOCKET = "/run/sallyport/lease.sock"


def come(uid):
    """A connection of that account, or why there is none."""
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(10)
    try:
        as_account(uid, lambda: s.connect(SOCKET))
        return s
    except OSError as error:
        return error.strerror


def counts(s):
    try:
        s.send(b"request=count\n\n")
        return s.recv(8192)
    except OSError:
        return b""


def waiting():
    door = subprocess.Popen([PROGRAM], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert until(lambda: door.poll() is not None or isinstance(come(0), socket.socket)), log()
    return door


# What a killed one has left is not an obstacle.
dead = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
dead.bind(SOCKET)
dead.close()
door = waiting()
status = os.stat(SOCKET)
same((status.st_uid, status.st_gid, oct(status.st_mode & 0o777)), (0, NODE_UID, "0o660"), "the socket is for the node service alone")
same(come(65534), "Permission denied", "nobody else reaches it")
ok(b"leases=0" in counts(come(NODE_UID)), "the node service is answered")
same(counts(come(0)), b"", "root is not")
os.chmod(SOCKET, 0o666)
same(counts(come(65534)), b"", "nor is somebody else, should the socket be open to them")
os.chmod(SOCKET, 0o660)
both = [come(NODE_UID) for _ in range(2)]
ok(all(b"leases=0" in counts(s) for s in both), "two at a time are")
crowd = [come(NODE_UID) for _ in range(30)]
ok(until(lambda: 8 <= len(run("pgrep", "-x", "asp-lease")[1].split()) <= 9), "of many, eight at a time")
for s in crowd:
    s.close() if isinstance(s, socket.socket) else None
ok(until(lambda: len(run("pgrep", "-x", "asp-lease")[1].split()) == 3), "who goes makes room, and nothing is left of them")
same(call(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)[0], 75, "a second one does not take the place")
door.terminate()
same(door.wait(timeout=10), 0, "told to end, it does")
ok(not os.path.exists(SOCKET) and b"leases=0" in counts(both[0]), "and whom it serves it goes on to serve")
for s in both:
    s.close()
ok(until(lambda: not [state for state in run("ps", "-C", "asp-lease", "-o", "stat=")[1].split() if state[0] != "Z"]), "until they go")

# --- what it reads ------------------------------------------------------------------

four = Listener("203.0.113.1")
six = Listener("2001:db8:2::1")
other_port = Listener("203.0.113.1", 9092)
far_end, inner = four.connect("inner")
inner6 = six.connect("inner")[1]
lease = Lease()


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

# --- whom it believes -----------------------------------------------------------------

TO = {"IPv4": {}, "IPv6": {"destination": "2001:db8:1::50", "address": "2001:db8:1::50"}}

refused(lease.open(None), "bad_request", "no connection", "no connection came with the request")
refused(ask_bytes(OPEN + b"\n", [inner, inner]), "bad_request", "two connections")
reader, writer = os.pipe()
refused(lease.open(reader), "bad_request", "a pipe for a connection", "not an established TCP connection")
refused(lease.open(four.socket), "bad_request", "a listener", "not an established TCP connection")
datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagram.connect(("203.0.113.2", 9))
refused(lease.open(datagram), "bad_request", "a UDP socket", "not an established TCP connection")
refused(lease.open(socket.socketpair()[0]), "bad_request", "a Unix socket", "not an established TCP connection")
gone, closed = four.connect("inner")
closed.shutdown(socket.SHUT_RDWR)
refused(lease.open(closed), "bad_request", "a connection that is closing", "not an established TCP connection")
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
for listener in four, six:
    listener.socket.close()
# Nor is a connection that the service made itself one of a client's: from the service's own port to any of
# the client's; while the client connects, too; with a listener that became it.
for address, peer, about in (("203.0.113.1", "203.0.113.2", "IPv4"), ("2001:db8:2::1", "2001:db8:2::2", "IPv6")):
    there = make("inner", peer, socket.SOCK_STREAM)
    there.bind((peer, 22))
    there.listen()
    made = make(None, address, socket.SOCK_STREAM)
    made.bind((address, 9091))
    made.connect((peer, 22))
    refused(lease.open(made, **TO[about]), "busy", f"{about}: a connection that the service made", "lost track")
    was_listener = make(None, address, socket.SOCK_STREAM)
    was_listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.close()
    there.close()
    there = make("inner", peer, socket.SOCK_STREAM)
    there.bind((peer, 24))
    there.listen()
    was_listener.bind((address, 9091))
    was_listener.listen()
    was_listener.shutdown(socket.SHUT_RD)
    try:
        was_listener.connect((peer, 24))
    except OSError as error:  # newer kernels let no listener become a connection
        same(error.errno, errno.EINVAL, f"{about}: a listener that becomes a connection is refused by the kernel")
    else:
        refused(lease.open(was_listener, **TO[about]), "busy", f"{about}: another one from the same port")
    was_listener.close()
    again = Listener(address)
    leased(lease.open(again.connect("inner")[1], **TO[about]), f"{about}: and a client's own is one")
    again.socket.close()
four = Listener("203.0.113.1")
six = Listener("2001:db8:2::1")
give_back(lease)
accepted = four.connect("inner")[1]
# An accepted one that was dissolved, and made anew by the service.
accepted_by = accepted.getsockname()
inner_ssh = make("inner", "203.0.113.2", socket.SOCK_STREAM)
inner_ssh.bind(("203.0.113.2", 23))
inner_ssh.listen()
libc = ctypes.CDLL(None)
libc.connect(accepted.fileno(), bytes(16), 16)  # AF_UNSPEC
try:
    accepted.bind(accepted_by)
except OSError:
    pass
try:
    accepted.connect(("203.0.113.2", 23))
except OSError:
    pass
ok(lease.open(accepted)["answer"] == "refused", "an accepted connection that became one of the service's own")
refused(lease.open(four.connect(None)[1]), "forbidden", "the proxy itself as a client")
run("iptables", "-t", "raw", "-A", "PREROUTING", "-p", "tcp", "--dport", "9091", "-j", "NOTRACK")
run("iptables", "-t", "raw", "-A", "OUTPUT", "-p", "tcp", "--sport", "9091", "-j", "NOTRACK")
refused(lease.open(four.connect("inner")[1]), "busy", "a connection that the kernel does not track", "connect again")
run("iptables", "-t", "raw", "-F")
refused(lease.open(inner, user="mallory"), "forbidden", "a user that there is not")
refused(lease.open(inner, user="../alice"), "forbidden", "a user with a path in it")
refused(lease.open(inner, user=None), "bad_request", "no user")
same((recorded(), ports(), mapped()), (set(), {}, {}), "nothing was leased")

lease.end()
done()
