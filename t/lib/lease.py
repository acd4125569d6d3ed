"""lease.py: the node service's side of asp-lease, clients, servers, and TAP.

For tests that run in a network namespace of their own, which is the proxy;
the others are named ones (ip-netns(8)). A socket stays in the namespace where
it was made, whoever uses it, so that one process can be everybody.
"""
import ctypes, os, select, signal, socket, subprocess, sys, time

libc = ctypes.CDLL(None, use_errno=True)
here = os.open("/proc/self/ns/net", os.O_RDONLY)


def within(namespace, make):
    """What make() returns, made in that namespace."""
    there = os.open("/run/netns/" + namespace, os.O_RDONLY)
    try:
        assert libc.setns(there, 0x40000000) == 0, os.strerror(ctypes.get_errno())
        return make()
    finally:
        assert libc.setns(here, 0x40000000) == 0
        os.close(there)


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def make(namespace, address, kind):
    def work():
        s = socket.socket(family_of(address), kind)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return s
    return within(namespace, work) if namespace else work()


class Listener:
    """The node service's port: connect() is a client's connection, both ends."""

    def __init__(self, address, port=9091):
        self.at = (address, port)
        self.socket = make(None, address, socket.SOCK_STREAM)
        if family_of(address) == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self.socket.bind(self.at)
        self.socket.listen(64)
        self.clients = []  # whose connections live as long as this

    def connect(self, namespace, source=None):
        client = make(namespace, self.at[0], socket.SOCK_STREAM)
        if source:
            client.bind((source, 0))
        client.settimeout(5)
        client.connect(self.at)
        self.clients.append(client)
        return client, self.socket.accept()[0]


class Server:
    """TCP and UDP of an address: says where a packet came from, and what it was."""

    def __init__(self, namespace, address, tcp, udp):
        self.address = address
        self.tcp = make(namespace, address, socket.SOCK_STREAM)
        self.tcp.bind((address, tcp))
        self.tcp.listen(64)
        self.udp = {}
        for port in udp:
            self.udp[port] = make(namespace, address, socket.SOCK_DGRAM)
            self.udp[port].bind((address, port))
            self.udp[port].settimeout(0.3)


ASK = dict(request="open", user="alice", destination="198.51.100.50", address="198.51.100.50", ssh_port="22", udp_ports="33001:33001")


def as_account(uid, work):
    """What work() returns, done by that account, whose group has its number."""
    os.setegid(uid)
    os.seteuid(uid)
    try:
        return work()
    finally:
        os.seteuid(0)
        os.setegid(0)


def pair_of(uid, kind=socket.SOCK_SEQPACKET):
    """A socket pair, of which SO_PEERCRED says that uid made it."""
    return as_account(uid, lambda: socket.socketpair(socket.AF_UNIX, kind))


class Lease:
    """One asp-lease, with a connection of that account, as systemd starts it."""

    def __init__(self, program, uid, err=None):
        self.socket, theirs = pair_of(uid)
        self.socket.settimeout(20)
        self.process = subprocess.Popen([program], stdin=theirs, stdout=theirs, stderr=err,
                                        env={"PATH": "/usr/bin:/usr/sbin"})
        theirs.close()

    def send(self, descriptor=None, **fields):
        text = "".join(f"{name}={value}\n" for name, value in fields.items()) + "\n"
        self.send_bytes(text.encode(), [] if descriptor is None else [descriptor])

    def send_bytes(self, data, descriptors=()):
        socket.send_fds(self.socket, [data], [d if isinstance(d, int) else d.fileno() for d in descriptors])

    def receive(self):
        data = self.socket.recv(65536)
        return dict(line.split("=", 1) for line in data.decode().splitlines() if line)

    def ask(self, descriptor=None, **fields):
        self.send(descriptor, **fields)
        return self.receive()

    def open(self, descriptor, **fields):
        """As ASK says, but for what is given here; None: leaves it out."""
        return self.ask(descriptor, **{name: value for name, value in (ASK | fields).items() if value is not None})

    def list(self, descriptor=None, **fields):
        self.send(descriptor, request="list", **fields)
        found = []
        while True:
            answer = self.receive()
            if answer["answer"] != "lease":
                return found, answer
            found.append(answer)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.socket.close()

    def end(self):
        self.socket.close()
        return self.process.wait(timeout=20)


def tcp_through(namespace, lease, server, source=None, timeout=1):
    """A connection through a lease, both ends; or None."""
    client = make(namespace, lease["proxy"], socket.SOCK_STREAM)
    if source:
        client.bind((source, 0))
    client.settimeout(timeout)
    try:
        client.connect((lease["proxy"], int(lease["ssh_port"])))
        server.tcp.settimeout(timeout)
        far, peer = server.tcp.accept()
    except OSError:
        client.close()
        return None
    far.settimeout(timeout)
    return client, far, peer[0]


def alive(pair):
    """Whether a connection still carries bytes."""
    client, far = pair[:2]
    try:
        client.settimeout(0.5)
        client.send(b"x")
        return far.recv(1) == b"x"
    except OSError:
        return False


class Udp:
    """A flow through a lease."""

    def __init__(self, namespace, lease, offset=0, source=None):
        self.socket = make(namespace, lease["proxy"], socket.SOCK_DGRAM)
        if source:
            self.socket.bind((source, 0))
        self.to = (lease["proxy"], int(lease["udp_ports"].split(":")[0]) + offset)
        self.count = 0

    def send(self):
        self.count += 1
        text = f"{id(self)} {self.count}".encode()
        try:
            self.socket.sendto(text, self.to)
        except OSError:  # ICMP said that nobody is there
            pass
        return text

    def arrives(self, at):
        """Whether a packet arrives at that socket, and from whom; None: it does not."""
        text = self.send()
        while True:
            try:
                got, peer = at.recvfrom(2048)
            except OSError:
                return None
            if got == text:
                self.peer = peer
                return peer[0]

    def answered(self, at):
        at.sendto(b"back", self.peer)
        self.socket.settimeout(0.5)
        try:
            return self.socket.recv(100) == b"back"
        except OSError:
            return False


count = failed = 0


def ok(truth, name):
    global count, failed
    count += 1
    failed += not truth
    print(f"{'ok' if truth else 'not ok'} {count} - {name}", flush=True)
    return truth


def same(got, expected, name):
    if not ok(got == expected, name):
        print(f"# got:      {got!r}\n# expected: {expected!r}", flush=True)


def refused(answer, code, name, reason=""):
    if not ok(answer.get("answer") == "refused" and answer.get("code") == code and reason in answer.get("reason", ""), f"{name}: {code}"):
        print(f"# got: {answer}", flush=True)


def leased(answer, name):
    if not ok(answer.get("answer") == "lease", name):
        print(f"# got: {answer}", flush=True)
    return answer


def until(truth, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if truth():
            return True
        time.sleep(0.02)
    return False


def done():
    print(f"1..{count}", flush=True)
    sys.exit(failed > 0)
