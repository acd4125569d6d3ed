#!/usr/bin/env python3
"""pinholes.py [--build DIR] [--json] [--counts 0,1000,10000] [--rounds 9] [BACKEND...]

What a pinhole costs, and what those that are open cost the packets, with so many
others open; BACKEND is iptables or nftables, by default both. Of
iptables, no more are in its chain than asp-pinhole puts there; the rest is in nftables. As root; all of it
happens in namespaces of its own, one for each line and all at once: they are
measured in turn, so that whatever else the machine does falls on all alike. It is
IPv6, because 10,000 clients need as many addresses and those that are set aside
for documentation are fewer in IPv4. One line each:

    iptables  10000  open 12.3 ms  close 17.9 ms  new flows 152000/s  unmatched 171000/s

open      from naming the host to asp-pinhole's `open`, the median of 15
close     from the end of its stdin to its exit
new flows packets, each the first of its flow, through the DNAT to the server
unmatched packets, each the first of its flow, of clients without a pinhole; they
          are dropped in INPUT
none      instead of a backend: conntrack and one static rule for everybody, which
          translates the same flows, of as many clients as the highest count
one chain a rule for each session, all in one chain; there open and close are
          ip6tables-restore alone

Rates are of one processor, which sends, forwards and receives: the median of the
rounds, and in each round of batches of 128 packets.
"""
import argparse
import contextlib
import ctypes
import fcntl
import json
import os
import re
import resource
import socket
import statistics
import struct
import subprocess
import sys
import time

PREFIX = "/opt/aspera/proxy"
PROXY, SERVER, CLIENT = "2001:db8:a::1", "2001:db8:b::2", "2001:db8:c:1::1"
PORT = 33001
FLOWS = 12800
MATCHED = "2001:db8:c::/113"  # all that have a pinhole
STRANGERS = 5000
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET, CLONE_NEWNS = 0x40000000, 0x20000


def run(*command, text=None):
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


def address(number):
    """Of client NUMBER."""
    return f"2001:db8:c::{number + 1:x}"


def stranger(number):
    """Somebody without a pinhole; as anywhere, some end in the same bytes as a client."""
    return f"2001:db8:c:2::{number * 40503 % 65536:x}"


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
        run("ip", "address", "add", f"{ours}/64", "dev", cable, "nodad")
        run("ip", "link", "set", cable, "up")
        self.run("ip", "address", "add", f"{theirs}/64", "dev", "eth", "nodad")
        self.run("ip", "link", "set", "eth", "up")

    def run(self, *command):
        return run("nsenter", "-t", str(self.process.pid), "-n", *command)


def prepare(build):
    LIBC.unshare(CLONE_NEWNET | CLONE_NEWNS)
    for directory in "/opt", "/run":
        os.makedirs(directory, exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", directory)
    os.makedirs(f"{PREFIX}/libexec")
    os.makedirs(f"{PREFIX}/etc")
    for name in "asp-pinhole", "asp-reap":
        run("install", "-m", "755", f"{build}/bin/{name}", f"{PREFIX}/libexec/")
    run("ip", "link", "set", "lo", "up")
    client = Neighbour("wan", PROXY, "2001:db8:a::2")
    client.run("ip", "route", "add", "default", "via", PROXY)
    run("ip", "route", "add", "2001:db8:c::/64", "via", "2001:db8:a::2")
    # A server that answers nothing, not even that nobody listens.
    Neighbour("lan", "2001:db8:b::1", SERVER).run("ip6tables", "-A", "INPUT", "-p", "udp", "-j", "DROP")
    with open("/proc/sys/net/ipv6/conf/all/forwarding", "w") as file:
        file.write("1\n")
    run("ip", "address", "add", f"{CLIENT}/128", "dev", "lo", "nodad")
    run("ip6tables", "-A", "INPUT", "-p", "udp", "--dport", str(PORT), "-j", "DROP")
    return client


def configure(backend, in_chain):
    with open(f"{PREFIX}/etc/aspera.conf", "w") as file:
        file.write(f"""<CONF version="2"><server><rproxy><enabled>true</enabled><iptables_sessions>{in_chain}</iptables_sessions><rules>
<rule><host>[{SERVER}]</host><keyfile>/k</keyfile><forwarding_type>{backend}</forwarding_type></rule>
</rules></rproxy></server></CONF>""")


# --- others -------------------------------------------------------------------------


def record(number, backend):
    more = "forwarding=nftables\n" if backend == "nftables" else ""
    return (f"session=00000000-0000-4000-8000-{number:012}\nuser=nobody\nclient=[{address(number)}]:51512\n"
            f"proxy=[{PROXY}]:{PORT}\nrule=1\nupstream_user=nobody\nhost=[{SERVER}]:22\nproxy_port={PORT}\nudp_port={PORT}\n"
            f"src_port_filtering=true\n{more}pid=0\nholder={os.getpid()}\nstarted=2026-11-22T15:04:05Z\nopened={number + 1}\n\n")


class Others:
    """That many sessions on record, which live as long as this object."""

    def __init__(self, count, backend, in_chain):
        for directory in "sessions", "chains/6":
            os.makedirs(f"/run/sallyport/{directory}", mode=0o700, exist_ok=True)
        self.held = []
        for number in range(count):
            name = f"00000000-0000-4000-8000-{number:012}"
            beyond = number >= in_chain
            file = open(f"/run/sallyport/sessions/{name}", "w")
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(record(number, "nftables" if beyond else backend))
            file.flush()
            self.held.append(file)
            if backend == "iptables" and not beyond:
                open(f"/run/sallyport/chains/6/{name}", "w").close()
        run(f"{PREFIX}/libexec/asp-reap")
        if backend == "nftables" or count > in_chain:
            last_an_hour()


def last_an_hour():
    """Nobody here renews the elements of those that only are on record."""
    table = run("nft", "list", "table", "inet", "sallyport")
    table = re.sub(r"timeout 1m( expires \w+)?", "timeout 1h", table)
    run("nft", "-f", "-", text=f"delete table inet sallyport\n{table}")


# --- one pinhole --------------------------------------------------------------------


def become_sshd(asked):
    """In a child: sshd's processes, and below them asp-pinhole on descriptors 0 and 1."""
    listener, far = socket.socket(socket.AF_INET6), socket.socket(socket.AF_INET6)
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
        os.write(self.stdin, f"session=ffffffff-0000-4000-8000-000000000000\nuser=nobody\nclient=[{CLIENT}]:51512\nproxy=[{PROXY}]:{PORT}\n\n".encode())
        self.expect("verified")
        start = time.perf_counter()
        os.write(self.stdin, f"host=[{SERVER}]:22\naddress=[{SERVER}]:22\n\n".encode())
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


def measure_pinholes(times=5):
    """[[ms to open, ms to close]...]"""
    return [[pinhole.opened, pinhole.close()] for pinhole in (Pinhole() for _ in range(times))]


# --- packets ------------------------------------------------------------------------


class Message(ctypes.Structure):  # struct mmsghdr
    _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint32), ("iov", ctypes.c_void_p), ("iovlen", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t), ("flags", ctypes.c_int), ("padding", ctypes.c_int), ("sent", ctypes.c_size_t)]


class Flood:
    """Raw UDP packets, each the first of its flow, from those addresses in turn."""
    BATCH = 128

    def __init__(self, namespace, sources, flows=FLOWS):
        self.flows = flows
        packets = b"".join(self.packet(sources[i % len(sources)], 1024 + i // len(sources)) for i in range(flows))
        self.buffer = ctypes.create_string_buffer(packets, len(packets))
        size = len(packets) // flows
        target = struct.pack("=HHI16sI", socket.AF_INET6, 0, 0, socket.inet_pton(socket.AF_INET6, PROXY), 0)
        self.target = ctypes.create_string_buffer(target, len(target))
        self.parts = (ctypes.c_size_t * (2 * flows))()
        self.messages = (Message * flows)()
        for i in range(flows):
            self.parts[2 * i] = ctypes.addressof(self.buffer) + i * size
            self.parts[2 * i + 1] = size
            self.messages[i] = Message(ctypes.addressof(self.target), len(target), ctypes.addressof(self.parts) + 16 * i, 1, None, 0, 0, 0, 0)
        self.socket = self.raw_socket(namespace)

    @staticmethod
    def packet(source, port):
        ends = b"".join(socket.inet_pton(socket.AF_INET6, end) for end in (source, PROXY))
        length, protocol = 12, socket.IPPROTO_UDP
        words = struct.unpack("!24H", ends + struct.pack("!HHHH4sHH", port, PORT, length, 0, b"test", length, protocol))
        total = sum(words)
        while total > 0xffff:
            total = (total & 0xffff) + (total >> 16)
        udp = struct.pack("!HHHH4s", port, PORT, length, (total ^ 0xffff) or 0xffff, b"test")
        return struct.pack("!IHBB", 6 << 28, length, protocol, 64) + ends + udp

    @staticmethod
    def raw_socket(namespace):
        with open("/proc/self/ns/net") as ours, open(f"/proc/{namespace.process.pid}/ns/net") as theirs:
            LIBC.setns(theirs.fileno(), 0)
            made = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
            LIBC.setns(ours.fileno(), 0)
        return made

    def rate(self, counter):
        """Packets a second, the median of batches; None when they did not reach `counter`."""
        run("conntrack", "-F")
        before, sent, taken = counter(), 0, []
        while sent < self.flows:
            batch = min(self.BATCH, self.flows - sent)
            start = time.perf_counter()
            done = LIBC.sendmmsg(self.socket.fileno(), ctypes.byref(self.messages, sent * ctypes.sizeof(Message)), batch, 0)
            if done <= 0:
                sys.exit(f"sendmmsg: {os.strerror(ctypes.get_errno())}")
            taken.append((time.perf_counter() - start) / done)
            sent += done
        time.sleep(0.05)
        arrived = counter() - before
        run("conntrack", "-F")
        return 1 / statistics.median(taken) if arrived >= 0.97 * self.flows else None


def to_server():
    with open("/proc/net/dev") as file:
        return next(int(line.split()[10]) for line in file if line.strip().startswith("lan:"))


def to_proxy():
    with open("/proc/net/dev") as file:
        return next(int(line.split()[2]) for line in file if line.strip().startswith("wan:"))


# --- what is compared ----------------------------------------------------------------


def chain_rule(number):
    return (f"ONE -s {address(number)}/128 -d {PROXY}/128 -p udp -m udp --dport {PORT} -m comment "
            f"--comment 00000000-0000-4000-8000-{number:012} -j DNAT --to-destination [{SERVER}]:{PORT}\n")


def restore(text):
    start = time.perf_counter()
    run("ip6tables-restore", "--noflush", text=f"*nat\n{text}COMMIT\n")
    return (time.perf_counter() - start) * 1000


class Line:
    """One line of the table, in the namespaces of its own process."""

    def __init__(self, backend, others, clients, build, in_chain):
        self.backend = backend
        self.others = others
        self.in_chain = in_chain
        self.held = None
        client = prepare(build)
        getattr(self, {"none": "lay_none", "one chain": "lay_one_chain"}.get(backend, "lay_ours"))()
        # Where it takes long, fewer packets say as much.
        flows = FLOWS // 8 if backend == "one chain" and others > 1000 else FLOWS
        known, unknown = [address(each) for each in range(clients)], [stranger(each) for each in range(STRANGERS)]
        self.floods = {"new_flows": (Flood(client, known, flows), to_server), "unmatched": (Flood(client, unknown, flows), to_proxy)}

    def lay_none(self):
        restore(f"-A PREROUTING -p udp -d {PROXY} --dport {PORT} -s {MATCHED} -j DNAT --to-destination [{SERVER}]:{PORT}\n"
                "-A POSTROUTING -o lan -j MASQUERADE\n")

    def lay_one_chain(self):
        """What somebody would do first: a rule for each session, all in one chain."""
        restore(":ONE - [0:0]\n-A PREROUTING -p udp -m addrtype --dst-type LOCAL -j ONE\n-A POSTROUTING -o lan -j MASQUERADE\n"
                + "".join("-A " + chain_rule(each) for each in range(self.others or 1)))

    def lay_ours(self):
        configure(self.backend, self.in_chain)
        if self.others:
            self.held = Others(self.others, self.backend, self.in_chain)

    def let_one_through(self):
        """A flow needs one pinhole."""
        if self.backend != "none" and self.backend != "one chain" and not self.held:
            self.held = Others(1, self.backend, self.in_chain)

    def latency(self):
        if self.backend != "one chain":
            return measure_pinholes()
        return [[restore("-A " + chain_rule(59999)), restore("-D " + chain_rule(59999))] for _ in range(3)]

    def measure(self, what):
        if what == "latency":
            return self.latency()
        self.let_one_through()
        flood, counter = self.floods[what]
        return flood.rate(counter)


class Worker:
    """A Line in a child."""

    def __init__(self, backend, others, clients, build, in_chain):
        self.row = {"backend": backend, "others": others}
        self.figures = {"latency": [], "new_flows": [], "unmatched": []}
        ours, theirs = socket.socketpair()
        if os.fork() == 0:
            ours.close()
            with contextlib.suppress(KeyboardInterrupt):
                self.serve(theirs.makefile("rw"), backend, others, clients, build, in_chain)
            os._exit(1)
        theirs.close()
        self.channel = ours.makefile("rw")
        self.answer()

    @staticmethod
    def serve(channel, *what):
        line = Line(*what)
        answer = None  # ready
        while True:
            channel.write(json.dumps(answer) + "\n")
            channel.flush()
            asked = channel.readline().strip()
            if not asked:
                return
            answer = line.measure(asked)

    def answer(self):
        line = self.channel.readline()
        if not line:
            sys.exit(f"{self.row['backend']}, {self.row['others']} others: failed")
        return json.loads(line)

    def measure(self, what):
        self.channel.write(what + "\n")
        self.channel.flush()
        answer = self.answer()
        if answer is None:
            return
        self.figures[what] += answer if what == "latency" else [answer]

    def result(self):
        for what in "new_flows", "unmatched":
            if not self.figures[what]:
                sys.exit(f"{self.row['backend']}, {self.row['others']} others, {what}: packets were lost in every round")
            self.row[what] = statistics.median(self.figures[what])
        if self.figures["latency"]:
            opened, closed = zip(*self.figures["latency"])
            self.row |= {"open_ms": statistics.median(opened), "close_ms": statistics.median(closed)}
        return self.row


# --- the table -----------------------------------------------------------------------


def show(row, as_json):
    if as_json:
        print(json.dumps(row), flush=True)
        return
    line = f"{row['backend']:9} {row['others']:6}"
    if "open_ms" in row:
        line += f"  open {row['open_ms']:5.1f} ms  close {row['close_ms']:5.1f} ms"
    print(line + f"  new flows {row['new_flows']:.0f}/s  unmatched {row['unmatched']:.0f}/s", flush=True)


def in_turn(workers, number):
    """Each goes first once: who follows whom is of no account then."""
    first = number % len(workers)
    return workers[first:] + workers[:first]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.environ.get("BUILD", "build"))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--counts", default="0,1000,10000")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--chain", type=int, default=16, help="how many are in iptables; that of <iptables_sessions>")
    parser.add_argument("backends", nargs="*", default=["iptables", "nftables"])
    options = parser.parse_args()
    enter()
    resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
    os.sched_setaffinity(0, {0})  # who sends a packet handles it, too
    counts = [int(word) for word in options.counts.split(",")]
    workers = [Worker("none", 0, max(counts) or 1, options.build, 0)]
    for backend in ["one chain", *options.backends]:
        workers += [Worker(backend, number, number or 1, options.build, options.chain) for number in counts]
    for number in range(3):
        for worker in in_turn(workers[1:], number):
            worker.measure("latency")
    for number in range(options.rounds):
        for what in "new_flows", "unmatched":
            for worker in in_turn(workers, number):
                worker.measure(what)
    for worker in workers:
        show(worker.result(), options.json)


if __name__ == "__main__":
    main()
