"""cluster_story.py: what the stories of leases in a cluster have in common. See story.py.

proxy1 and proxy2 run, each with its asp-lease, and a Redis each: proxy2's is a replica.
"""
from story import *
enter("cluster_scene.sh")
import json, os, re, signal, socket, subprocess, time
from lease import *

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def configure(low, high, more="", redis="192.0.2.1:6379, 192.0.2.2:6379"):
    write(CONF, f"""<CONF version="2"><server><listen>9091</listen>
<proxy><enabled>true</enabled><allowed_destinations>0.0.0.0/0 ::/0</allowed_destinations><session_timeout>60</session_timeout><keepalive_interval>20</keepalive_interval>
<port_range_low>{low}</port_range_low><port_range_high>{high}</port_range_high>{more}</proxy>
<cluster><enabled>true</enabled>
<nodes><node name="proxy1">192.0.2.1</node><node name="proxy2">192.0.2.2</node></nodes>
<outside_interface>wan</outside_interface><outside_addresses>198.51.100.39/24, 2001:db8:1::39/64</outside_addresses>
<inside_interface>lan</inside_interface><inside_addresses>203.0.113.5/24, 2001:db8:2::5/64</inside_addresses>
<sync_interface>sync</sync_interface><redis>{redis}</redis></cluster></server></CONF>
""")


class Node:
    def __init__(self, name, prefix, program, namespace):
        self.name, self.prefix, self.namespace = name, prefix, namespace
        self.service = None
        self.program = program

    def run(self, *argv):
        return run(*self.prefix, *argv)

    def asperaproxy(self, verb):
        return self.run(PREFIX + "/bin/asperaproxy", verb)

    def reap(self):
        return self.run(PREFIX + "/bin/asp-reap")

    def start(self):
        self.service = Lease(self.program, NODE_UID)

    def elements(self):
        table = self.run("nft", "list", "table", "inet", "sallyport_lease")[1]
        return set(re.findall(r'comment "([0-9a-f-]{36})"', table))

    def records(self):
        return {name for name in self.run("ls", "/run/sallyport/leases")[1].split() if not name.startswith(".")}

    def flows(self):
        return len(self.run("conntrack", "-L", "-m", "0x18000000/0x18000000")[1].splitlines())

    def role(self):
        return self.run("cat", "/run/sallyport/lease_role")[1]

    def change(self, id, **fields):
        """As if time had passed."""
        text = self.run("cat", f"/run/sallyport/leases/{id}")[1]
        record = dict(line.split("=", 1) for line in text.splitlines() if line)
        record.update({name: str(value) for name, value in fields.items()})
        text = "".join(f"{name}={value}\n" for name, value in record.items())
        self.run("sh", "-c", f"printf '%s' '{text}' > /run/sallyport/leases/{id} && touch -d @{record['deadline']} /run/sallyport/leases/{id}")


class Redis:
    def __init__(self, address, prefix=(), master=None):
        self.address, self.prefix, self.master = address, list(prefix), master
        self.start()

    def start(self):
        argv = ["/usr/bin/redis-server", "--bind", self.address, "--port", "6379", "--save", "", "--protected-mode", "no", "--dir", TMP, "--rdb-del-sync-files", "yes"]
        if self.master:
            argv += ["--replicaof", self.master, "6379", "--repl-diskless-sync-delay", "0"]
        self.process = subprocess.Popen([*self.prefix, *argv], stdout=subprocess.DEVNULL)
        assert until(lambda: self.cli("PING") == "PONG"), "redis does not start"

    def cli(self, *words, stdin=None):
        done = subprocess.run([*self.prefix, "redis-cli", "-h", self.address, *words], capture_output=True, text=True, input=stdin)
        return done.stdout.rstrip("\n")

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()

    def signal(self, which):  # nsenter has become it
        self.process.send_signal(which)


def leases_of(redis):
    return {key.rsplit(":", 1)[1] for key in redis.cli("KEYS", "sallyport:lease:*").split()}


def ports_of(redis):
    return {int(key.rsplit(":", 1)[1]): redis.cli("GET", key) for key in redis.cli("KEYS", "sallyport:lease-port:*").split()}


def took(work):
    begin = time.monotonic()
    answer = work()
    return answer, time.monotonic() - begin


configure(5000, 5200)
write(NODE_USERS, f"alice:{HASH}:nobody:\nbob:{HASH}:nobody:\n", 0o640, NODE_UID)
one = Node("proxy1", [], PREFIX + "/libexec/asp-lease", None)
two = Node("proxy2", [TMP + "/in-two"], TMP + "/asp-lease-two", "two")
redis = Redis("192.0.2.1")
replica = Redis("192.0.2.2", two.prefix, "192.0.2.1")

# Where a connection comes from is told by the kernel of the node that took it.
here = Listener("203.0.113.5")
shared6 = Listener("2001:db8:2::5")
own = Listener("203.0.113.1")
_, inner = here.connect("inner")
_, inner6 = shared6.connect("inner")
_, inner_own = own.connect("inner")


class Far(Listener):
    """The node service of proxy2."""

    def __init__(self):
        self.at = ("203.0.113.2", 9091)
        self.socket = make("two", "203.0.113.2", socket.SOCK_STREAM)
        self.socket.bind(self.at)
        self.socket.listen(64)
        self.clients = []


far = Far()
_, inner_two = far.connect("inner")
server = Server("outer", "198.51.100.50", 22, [33001, 33002])
server6 = Server("outer", "2001:db8:1::50", 22, [33001])
one.start()
two.start()


def masters(*nodes):
    """Those become masters, the rest are standby."""
    for node in (one, two):
        node.asperaproxy("takeover" if node in nodes else "standby")


# --- records in Redis, as another node would write them -------------------------------------


def good_record():
    """Of a lease that was given, with ID in the place of its id."""
    given = one.service.open(inner)
    text = redis.cli("HGET", "sallyport:lease:" + given["lease"], "record")
    one.service.ask(request="close", user="alice", lease=given["lease"])
    return text.replace(given["lease"], "ID") + "\n"


def store(number, record, by="proxy1"):
    id = f"00000000-0000-4000-8000-{number:012d}"
    redis.cli("HSET", "sallyport:lease:" + id, "record", record.replace("ID", id), "by", by)
    return id


def edit(good, number, name="nothing", value=""):
    """That record of lease NUMBER, with a port of its own, and one thing changed."""
    port = 5000 + number
    text_ = re.sub(r"ssh_port=50\d\d\n(udp_ports)=.*\n", f"ssh_port={port}\\nudp_ports={port}:{port}\n", good, count=1)
    return re.sub(rf"^{name}=.*$", f"{name}={value}", text_, flags=re.M)
