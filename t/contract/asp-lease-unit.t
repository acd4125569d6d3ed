#!/usr/bin/env python3
"""asp-lease, with no more rights than its unit of systemd's gives: names are looked up by asp-name, at a socket."""
import socket, subprocess, sys
sys.path.insert(0, sys.path[0] + "/../lib")
from lease_story import *
import lease as service

NAME = PREFIX + "/libexec/asp-name"
SOCKET = "/run/sallyport/asp-name.sock"
NOBODY = ("setpriv", "--reuid", "64399", "--regid", "64399", "--clear-groups")
with open("etc/systemd/asp-lease@.service") as f:
    granted = next(line for line in f if line.startswith("CapabilityBoundingSet=")).strip().split("=")[1]
same(granted, "CAP_NET_ADMIN CAP_NET_RAW", "the unit gives it the firewall, and nothing else")
with open("ARCHITECTURE.md") as f:
    rows = [[cell.strip() for cell in line.split("|")] for line in f if "start, as `asp-lease@.service`" in line]
same([row[3] for row in rows], [granted.replace("CAP_", "")], "says ARCHITECTURE.md, too")
write("/opt/asp-lease", "#!/bin/sh\nexec setpriv --bounding-set=-all,+net_admin,+net_raw --no-new-privs " + PROGRAM + "\n", 0o755)


class Systemd:
    def __init__(self, *command):
        self.process = subprocess.Popen([sys.executable, "-S", "t/lib/accept.py", SOCKET, *command], stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"listens\n"

    def end(self):
        self.process.kill()
        self.process.wait()


def by_name(address="198.51.100.50", listener=None):
    return lease.open(listener or inner, destination="server.example.com", address=address)


four = Listener("203.0.113.1")
six = Listener("2001:db8:2::1")
inner = four.connect("inner")[1]
inner6 = six.connect("inner")[1]
configure("<allowed_destinations>server.example.com 198.51.100.51</allowed_destinations>")
lease = service.Lease("/opt/asp-lease", NODE_UID)
by_address = leased(lease.open(inner, destination="198.51.100.51", address="198.51.100.51"), "a lease by address")
status = dict(line.split(":\t", 1) for line in open(f"/proc/{lease.process.pid}/status").read().splitlines() if ":\t" in line)
same([status[each] for each in ("CapPrm", "CapEff", "CapBnd")], ["0000000000003000"] * 3, "it has NET_ADMIN and NET_RAW")
ok(Udp("inner", by_address).arrives(Server("outer", "198.51.100.51", 22, [33001]).udp[33001]), "and the lease works")

refused(by_name(), "internal", "nobody looks up names")
ok(logged(f"connect to {SOCKET}: No such file or directory"), "the log says where")
leased(lease.open(inner, destination="198.51.100.51", address="198.51.100.51"), "an address is leased all the same")

systemd = Systemd(*NOBODY, NAME)
leased(by_name(), "by name, of asp-name")
refused(by_name("192.0.2.9"), "destination_denied", "an address that is not the name's", "does not have that address")
leased(by_name("2001:db8:1::50", inner6), "IPv6")
same(run("ps", "-e", "-o", "comm=")[1].count("getent"), 0, "and no process of it stays")
systemd.end()
for what, command in (("that ends", ("/bin/true",)), ("that says what is none", ("/bin/echo", "198.51.100.50x")),
                      ("that says too much", ("/usr/bin/yes", "198.51.100.50")), ("that hangs", ("/bin/sleep", "30")), ("that is stopped", ("/bin/sh", "-c", "kill -STOP $$"))):
    systemd = Systemd(*NOBODY, *command)
    refused(by_name(), "destination_denied", f"an asp-name {what}", "does not have that address")
    systemd.end()
systemd = Systemd()
for _ in range(20):  # before the question comes, or after it
    refused(by_name(), "destination_denied", "a connection that systemd closes", "does not have that address")
systemd.end()
give_back(lease)
nothing_left("all given back")
same(lease.end(), 0, "it ends with its connection")

# asp-name itself
def ask(line, *prefix):
    done = subprocess.run([*prefix, NAME], input=line, capture_output=True, timeout=20)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


code, out, _ = ask(b"ahostsv4 server.example.com\n", *NOBODY)
same((code, {line.split()[0] for line in out.splitlines()}), (0, {"198.51.100.50"}), "asp-name: the addresses of a name")
code, out, _ = ask(b"ahosts server.example.com\n", *NOBODY)
same((code, {line.split()[0] for line in out.splitlines()}), (0, {"198.51.100.50", "2001:db8:1::50"}), "of both families")
same(ask(b"ahostsv4 nobody.example.com\n", *NOBODY), (2, "", ""), "a name that is not there: exit 2, as getent")
for line in (b"", b"ahostsv4 server.example.com", b"passwd root\n", b"ahostsv4 --help\x00\n", b"ahostsv4 127.1\n", b"ahostsv4 a b\n", b"ahostsv4 " + b"a" * 400 + b"\n"):
    code, out, err = ask(line, *NOBODY)
    same((code, out, err.count("\n")), (65, "", 1), f"exit 65, one line: {line[:30]!r}")
code, out, err = ask(b"ahostsv4 server.example.com\n")
ok((code, out) == (77, "") and "not for root" in err, "as root: exit 77")
same(run(*NOBODY, NAME, "x")[0], 64, "with an argument: exit 64")
done()
