#!/usr/bin/env python3
"""pinholes.py [--build DIR] [--json] [--counts 0,1000,10000] [BACKEND...]

What a pinhole costs, and what those that are open cost the packets, with so many
others open; BACKEND is iptables or nftables, by default both. As root; all of it
happens in namespaces of its own, on the addresses that are set aside for
benchmarks (RFC 2544). One line each:

    iptables  10000  open 12.3 ms  close 17.9 ms  new flows 152000/s  unmatched 171000/s

open      from naming the host to asp-pinhole's `open`, the median of 15
close     from the end of its stdin to its exit
new flows packets, each the first of its flow, through the DNAT to the server
unmatched packets, each the first of its flow, of clients without a pinhole
none      instead of a backend: conntrack and one static rule for everybody
one chain a rule for each session, all in one chain; there open and close are
          iptables-restore alone
"""
import argparse
import ctypes
import fcntl
import json
import os
import resource
import signal
import socket
import statistics
import struct
import subprocess
import sys
import time

PREFIX = "/opt/aspera/proxy"
PROXY, SERVER, CLIENT = "198.19.0.1", "198.19.1.2", "198.18.255.254"
PORT = 33001
FLOWS = 30000
LIBC = ctypes.CDLL(None, use_errno=True)


def run(*command, text=None):
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


def address(number):
    """Of client NUMBER; those from 60000 on have no pinhole."""
    return f"198.18.{number >> 8}.{number & 255}"


# --- the place ----------------------------------------------------------------------


def enter():
    """This process again in namespaces of its own."""
    if os.environ.get("PINHOLES_INSIDE"):
        return
    os.environ["PINHOLES_INSIDE"] = "1"
    os.execvp("unshare", ["unshare", "-mnpf", "--kill-child", "--mount-proc", sys.executable, *sys.argv])


class Neighbour:
    """Another network namespace, joined by a cable."""

    def __init__(self, cable, ours, theirs):
        self.process = subprocess.Popen(["unshare", "-n", "sleep", "infinity"])
        here = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{self.process.pid}/ns/net") == here:
            time.sleep(0.01)
        run("ip", "link", "add", cable, "type", "veth", "peer", "name", "eth", "netns", str(self.process.pid))
        for each in ours:
            run("ip", "address", "add", each, "dev", cable)
        run("ip", "link", "set", cable, "up")
        for each in theirs:
            self.run("ip", "address", "add", each, "dev", "eth")
        self.run("ip", "link", "set", "eth", "up")

    def run(self, *command):
        return run("nsenter", "-t", str(self.process.pid), "-n", *command)


def prepare(build):
    for directory in "/opt", "/run":
        os.makedirs(directory, exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", directory)
    os.makedirs(f"{PREFIX}/libexec")
    os.makedirs(f"{PREFIX}/etc")
    for name in "asp-pinhole", "asp-reap":
        run("install", "-m", "755", f"{build}/bin/{name}", f"{PREFIX}/libexec/")
    run("ip", "link", "set", "lo", "up")
    client = Neighbour("wan", [f"{PROXY}/24", "198.18.255.1/16"], ["198.19.0.2/24"])
    Neighbour("lan", ["198.19.1.1/24"], [f"{SERVER}/24"])
    client.run("ip", "route", "add", "default", "via", PROXY)
    with open("/proc/sys/net/ipv4/ip_forward", "w") as file:
        file.write("1\n")
    run("ip", "address", "add", f"{CLIENT}/32", "dev", "lo")
    run("iptables", "-A", "INPUT", "-p", "udp", "--dport", str(PORT), "-j", "DROP")
    return client


def configure(backend):
    with open(f"{PREFIX}/etc/aspera.conf", "w") as file:
        file.write(f"""<CONF version="2"><server><rproxy><enabled>true</enabled><rules>
<rule><host>{SERVER}</host><keyfile>/k</keyfile><forwarding_type>{backend}</forwarding_type></rule>
</rules></rproxy></server></CONF>""")


# --- others -------------------------------------------------------------------------


def record(number, backend):
    more = "forwarding=nftables\n" if backend == "nftables" else ""
    return (f"session=00000000-0000-4000-8000-{number:012}\nuser=nobody\nclient={address(number)}:51512\n"
            f"proxy={PROXY}:{PORT}\nrule=1\nupstream_user=nobody\nhost={SERVER}:22\nproxy_port={PORT}\nudp_port={PORT}\n"
            f"src_port_filtering=true\n{more}pid=0\nholder={os.getpid()}\nstarted=2026-11-22T15:04:05Z\nopened={number + 1}\n\n")


class Others:
    """That many sessions on record, which live as long as this object."""

    def __init__(self, count, backend):
        os.makedirs("/run/sallyport/sessions", mode=0o700, exist_ok=True)
        self.held = []
        for number in range(count):
            file = open(f"/run/sallyport/sessions/00000000-0000-4000-8000-{number:012}", "w")
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(record(number, backend))
            file.flush()
            self.held.append(file)
        run(f"{PREFIX}/libexec/asp-reap")

    def end(self):
        for file in self.held:
            os.unlink(file.name)
            file.close()
        run(f"{PREFIX}/libexec/asp-reap")


# --- one pinhole --------------------------------------------------------------------


def become_sshd(asked):
    """In a child: sshd's processes, and below them asp-pinhole on descriptors 0 and 1."""
    listener, far = socket.socket(), socket.socket()
    for each in listener, far:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    listener.bind((PROXY, PORT))
    listener.listen()
    far.bind((CLIENT, 51512))
    far.connect((PROXY, PORT))
    near = listener.accept()[0]
    near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    listener.close()
    os.set_inheritable(near.fileno(), True)

    def below():
        child = os.fork()
        if child:
            os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 255)

    below()  # above: root's sshd
    far_copy = far.detach()
    os.setresuid(65534, 65534, 0)
    below()  # above: the user's
    os.close(far_copy)
    near.close()
    os.setresuid(0, 0, 0)
    os.environ.update(SUDO_UID="65534", SUDO_USER="nobody")
    os.execv(f"{PREFIX}/libexec/asp-pinhole", ["asp-pinhole"])


class Pinhole:
    def __init__(self):
        read_in, self.stdin = os.pipe()
        stdout, write_out = os.pipe()
        self.process = os.fork()
        if self.process == 0:
            os.dup2(read_in, 0)
            os.dup2(write_out, 1)
            os.closerange(3, 20000)
            become_sshd(None)
        os.close(read_in)
        os.close(write_out)
        self.said = os.fdopen(stdout)
        os.write(self.stdin, f"session=ffffffff-0000-4000-8000-000000000000\nuser=nobody\nclient={CLIENT}:51512\nproxy={PROXY}:{PORT}\n\n".encode())
        self.expect("verified")
        start = time.perf_counter()
        os.write(self.stdin, f"host={SERVER}:22\naddress={SERVER}:22\n\n".encode())
        self.expect("open")
        self.opened = (time.perf_counter() - start) * 1000

    def expect(self, word):
        line = self.said.readline()
        if not line.startswith(word):
            sys.exit(f"asp-pinhole said: {line}")

    def close(self):
        start = time.perf_counter()
        os.close(self.stdin)
        os.waitpid(self.process, 0)
        self.said.close()
        return (time.perf_counter() - start) * 1000


def measure_pinholes(times=15):
    opened, closed = [], []
    for _ in range(times):
        pinhole = Pinhole()
        opened.append(pinhole.opened)
        closed.append(pinhole.close())
    return statistics.median(opened), statistics.median(closed)


# --- packets ------------------------------------------------------------------------


class Message(ctypes.Structure):  # struct mmsghdr
    _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint32), ("iov", ctypes.c_void_p), ("iovlen", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t), ("flags", ctypes.c_int), ("padding", ctypes.c_int), ("sent", ctypes.c_size_t)]


class Flood:
    """Raw UDP packets, each the first of its flow, from clients FIRST to LAST."""
    BATCH = 64

    def __init__(self, namespace, first, last):
        packets = b"".join(self.packet(address(first + i % (last - first)), 1024 + i // (last - first)) for i in range(FLOWS))
        self.buffer = ctypes.create_string_buffer(packets, len(packets))
        size = len(packets) // FLOWS
        target = struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(PROXY))
        self.target = ctypes.create_string_buffer(target, len(target))
        self.parts = (ctypes.c_size_t * (2 * FLOWS))()
        self.messages = (Message * FLOWS)()
        for i in range(FLOWS):
            self.parts[2 * i] = ctypes.addressof(self.buffer) + i * size
            self.parts[2 * i + 1] = size
            self.messages[i] = Message(ctypes.addressof(self.target), len(target), ctypes.addressof(self.parts) + 16 * i, 1, None, 0, 0, 0, 0)
        self.socket = self.raw_socket(namespace)

    @staticmethod
    def packet(source, port):
        udp = struct.pack("!HHHH4s", port, PORT, 12, 0, b"test")
        return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, 0, 0, 64, 17, 0, socket.inet_aton(source), socket.inet_aton(PROXY)) + udp

    @staticmethod
    def raw_socket(namespace):
        with open("/proc/self/ns/net") as ours, open(f"/proc/{namespace.process.pid}/ns/net") as theirs:
            LIBC.setns(theirs.fileno(), 0)
            made = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
            LIBC.setns(ours.fileno(), 0)
        return made

    def rate(self, counter):
        """Packets a second that `counter` saw, the best of 5."""
        best = 0
        for _ in range(5):
            run("conntrack", "-F")
            before, sent = counter(), 0
            start = time.perf_counter()
            while sent < FLOWS:
                done = LIBC.sendmmsg(self.socket.fileno(), ctypes.byref(self.messages, sent * ctypes.sizeof(Message)), min(self.BATCH, FLOWS - sent), 0)
                if done <= 0:
                    sys.exit(f"sendmmsg: {os.strerror(ctypes.get_errno())}")
                sent += done
            taken = time.perf_counter() - start
            time.sleep(0.05)
            arrived = counter() - before
            if arrived < 0.97 * FLOWS:
                print(f"of {FLOWS} packets {arrived} arrived", file=sys.stderr)
                continue
            best = max(best, FLOWS / taken)
        run("conntrack", "-F")
        return best


def count(interface, direction):
    with open(f"/sys/class/net/{interface}/statistics/{direction}_packets") as file:
        return int(file.read())


def to_server():
    with open("/proc/net/dev") as file:
        return next(int(line.split()[10]) for line in file if line.strip().startswith("lan:"))


def to_proxy():
    with open("/proc/net/dev") as file:
        return next(int(line.split()[2]) for line in file if line.strip().startswith("wan:"))


# --- one chain -----------------------------------------------------------------------


def chain_rule(number):
    return (f"ONE -s {address(number)}/32 -d {PROXY}/32 -p udp -m udp --dport {PORT} -m comment "
            f"--comment 00000000-0000-4000-8000-{number:012} -j DNAT --to-destination {SERVER}:{PORT}\n")


def restore(text):
    start = time.perf_counter()
    run("iptables-restore", "--noflush", text=f"*nat\n{text}COMMIT\n")
    return (time.perf_counter() - start) * 1000


def one_chain(number, client, unmatched, times=5):
    """What somebody would do first: a rule for each session, all in one chain."""
    restore(":ONE - [0:0]\n-A PREROUTING -p udp -m addrtype --dst-type LOCAL -j ONE\n-A POSTROUTING -o lan -j MASQUERADE\n"
            + "".join("-A " + chain_rule(each) for each in range(number)))
    opened, closed = [], []
    for _ in range(times):
        opened.append(restore("-A " + chain_rule(59999)))
        closed.append(restore("-D " + chain_rule(59999)))
    if not number:  # a flow needs one rule
        restore("-A " + chain_rule(0))
    row = {"backend": "one chain", "others": number, "open_ms": statistics.median(opened), "close_ms": statistics.median(closed),
           "new_flows": Flood(client, 0, number or 1).rate(to_server), "unmatched": unmatched.rate(to_proxy)}
    run("iptables", "-t", "nat", "-F")
    run("iptables", "-t", "nat", "-X", "ONE")
    return row


# --- the table -----------------------------------------------------------------------


def show(row, as_json):
    if as_json:
        print(json.dumps(row), flush=True)
        return
    line = f"{row['backend']:9} {row['others']:6}"
    if "open_ms" in row:
        line += f"  open {row['open_ms']:5.1f} ms  close {row['close_ms']:5.1f} ms"
    print(line + f"  new flows {row['new_flows']:.0f}/s  unmatched {row['unmatched']:.0f}/s", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.environ.get("BUILD", "build"))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--counts", default="0,1000,10000")
    parser.add_argument("backends", nargs="*", default=["iptables", "nftables"])
    options = parser.parse_args()
    enter()
    resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
    os.sched_setaffinity(0, {0})  # who sends a packet handles it, too
    client = prepare(options.build)
    unmatched = Flood(client, 60000, 65000)
    static = [["-t", "nat", "-A", "PREROUTING", "-p", "udp", "-d", PROXY, "--dport", str(PORT), "-s", "198.18.0.0/17", "-j", "DNAT", "--to-destination", f"{SERVER}:{PORT}"],
              ["-t", "nat", "-A", "POSTROUTING", "-o", "lan", "-j", "MASQUERADE"]]
    for rule in static:
        run("iptables", *rule)
    show({"backend": "none", "others": 0, "new_flows": Flood(client, 0, 1000).rate(to_server), "unmatched": unmatched.rate(to_proxy)}, options.json)
    for rule in static:
        run("iptables", *["-D" if word == "-A" else word for word in rule])
    for number in map(int, options.counts.split(",")):
        show(one_chain(number, client, unmatched), options.json)
    for backend in options.backends:
        configure(backend)
        for number in map(int, options.counts.split(",")):
            others = Others(number or 1, backend) if number else Others(0, backend)
            opened, closed = measure_pinholes()
            if not number:  # a flow needs one pinhole
                others = Others(1, backend)
            flood = Flood(client, 0, number or 1)
            run(f"{PREFIX}/libexec/asp-reap")  # nobody here renews what expires
            row = {"backend": backend, "others": number, "open_ms": opened, "close_ms": closed,
                   "new_flows": flood.rate(to_server), "unmatched": unmatched.rate(to_proxy)}
            show(row, options.json)
            others.end()
        run("nft", "flush", "ruleset")
        run("iptables", "-A", "INPUT", "-p", "udp", "--dport", str(PORT), "-j", "DROP")


if __name__ == "__main__":
    main()
