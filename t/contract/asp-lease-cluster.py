"""The stories of asp-lease-cluster.t, which makes the networks that they are set in."""
import json, os, re, signal, socket, subprocess, time
from lease import *

PREFIX = "/opt/aspera/proxy"
TMP = os.environ["TMP"]
NODE = 64321
HASH = "$y$j9T$abcdefghijklmnop$" + "a" * 43


def write(path, text, mode=0o644, group=0):
    with open(path + ".new", "w") as f:
        f.write(text)
    os.chown(path + ".new", 0, group)
    os.chmod(path + ".new", mode)
    os.rename(path + ".new", path)


def configure(low, high, more="", redis="192.0.2.1:6379, 192.0.2.2:6379"):
    write(PREFIX + "/etc/aspera.conf", f"""<CONF version="2"><server><listen>9091</listen>
<proxy><enabled>true</enabled><session_timeout>60</session_timeout><keepalive_interval>20</keepalive_interval>
<port_range_low>{low}</port_range_low><port_range_high>{high}</port_range_high>{more}</proxy>
<cluster><enabled>true</enabled>
<nodes><node name="proxy1">192.0.2.1</node><node name="proxy2">192.0.2.2</node></nodes>
<outside_interface>wan</outside_interface><outside_addresses>198.51.100.39/24, 2001:db8:1::39/64</outside_addresses>
<inside_interface>lan</inside_interface><inside_addresses>203.0.113.5/24, 2001:db8:2::5/64</inside_addresses>
<sync_interface>sync</sync_interface><redis>{redis}</redis></cluster></server></CONF>
""")


def run(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


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
        self.service = Lease(self.program, NODE)

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


def logged(pattern):
    def there():
        with open(TMP + "/syslog") as f:
            return pattern in f.read()
    return until(there, 3)


configure(5000, 5200)
write(PREFIX + "/etc/node_users.conf", f"alice:{HASH}:nobody:\nbob:{HASH}:nobody:\n", 0o640, NODE)
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

# --- who gives leases ------------------------------------------------------------

one.start()
two.start()
refused(one.service.open(inner), "standby", "nobody has said that it is master")
one.asperaproxy("takeover")
two.asperaproxy("standby")
same((one.role(), two.role()), ("informed", "standby"), "who was told knows his role")
refused(two.service.open(inner_two), "standby", "the standby gives none")
first = leased(one.service.open(inner), "the master does")
same(first["proxy"], "203.0.113.5", "at the shared address")
same(leased(one.service.open(inner_own), "asked at its own address")["proxy"], "203.0.113.5", "it gives the shared one all the same")
six = leased(one.service.open(inner6, destination="2001:db8:1::50", address="2001:db8:1::50"), "IPv6")
same(six["proxy"], "2001:db8:2::5", "likewise")
refused(two.service.ask(request="renew", user="alice", lease=first["lease"]), "standby", "the standby renews none")
refused(two.service.ask(request="show", user="alice", lease=first["lease"]), "standby", "nor shows any")

through = tcp_through("inner", first, server)
ok(through and alive(through), "TCP goes through")
same(through and through[2], "198.51.100.39", "from the shared address outside, which the other node would have, too")
udp = Udp("inner", first)
same(udp.arrives(server.udp[33001]), "198.51.100.39", "so does UDP")
udp6 = Udp("inner", six)
same(udp6.arrives(server6.udp[33001]), "2001:db8:1::39", "and UDP of IPv6")

# --- what Redis has ----------------------------------------------------------------

same(leases_of(redis), one.records(), "Redis has the leases")
same(ports_of(redis)[int(first["ssh_port"])], first["lease"], "and whose the ports are")
text = redis.cli("HGET", "sallyport:lease:" + first["lease"], "record")
ok("deadline=0" in text.splitlines() and "packets=" not in text, "no clock of this host is in it")
left = int(redis.cli("PTTL", "sallyport:lease:" + first["lease"])) // 1000
ok(7200 < left <= 7260, f"it ends by itself two hours after the lease ({left} s)")
ok(7200 < int(redis.cli("TTL", f"sallyport:lease-port:{first['ssh_port']}")) <= 7260, "and so do its ports")

# --- the other takes over ------------------------------------------------------------

three = leased(one.service.open(inner, udp_ports="33001:33002"), "a lease of two ports")
gone = leased(one.service.open(inner, user="bob"), "one that is given back")
leased(one.service.ask(request="close", user="bob", lease=gone["lease"]), "to the master")
ok(gone["lease"] not in leases_of(redis), "Redis does not have it any more")
all_leases = leases_of(redis)
status, said, _ = two.asperaproxy("takeover")
same(two.elements(), all_leases, "takeover lays all leases")
same(two.records(), all_leases, "and has them on record")
same(two.role(), "informed", "it knows all of them")
one.asperaproxy("standby")
same((one.elements(), one.records()), (set(), set()), "the standby has none in its kernel, and none on record")
same(leases_of(redis), all_leases, "in Redis they are")
ok("type nat hook prerouting" in one.run("nft", "list", "table", "inet", "sallyport_lease")[1], "its chains of NAT stay")
flows = one.flows()
one.reap()
ok(one.flows() == flows > 0, "asp-reap on the standby leaves the flows of leases alone")
same(leases_of(redis), all_leases, "and the leases in Redis")
same(two.service.ask(request="renew", user="alice", lease=first["lease"]).get("answer"), "lease", "it can be renewed at the survivor")
refused(two.service.ask(request="renew", user="bob", lease=first["lease"]), "not_found", "by its owner alone")
same(two.service.ask(request="close", user="alice", lease=three["lease"]).get("answer"), "lease", "and given back there")
ok(three["lease"] not in leases_of(redis), "then Redis does not have it")
ok(three["lease"] not in ports_of(redis).values(), "and its ports are free")
same(two.service.ask(request="count")["leases"], str(len(leases_of(redis))), "the owners' leases are counted there")

# --- two masters -----------------------------------------------------------------

# Neither hears the other: both serve. What one renews, the other must not end.
one.asperaproxy("takeover")
ok(first["lease"] in one.records(), "two masters: both know a lease")
two.service.ask(request="renew", user="alice", lease=first["lease"])
one.change(first["lease"], deadline=1)
one.service.ask(request="sweep")
ok(first["lease"] not in one.elements(), "its time is over here: the rule goes")
ok(first["lease"] in leases_of(redis) and first["lease"] in two.elements(), "the other one renewed it: it goes on there, and in Redis")
two.service.ask(request="close", user="alice", lease=six["lease"])
one.reap()
ok(six["lease"] not in leases_of(redis), "what was given back at one")
ok(until(lambda: (one.service.ask(request="sweep"), six["lease"] not in one.elements())[1]), "is not brought back by the other, and ends there, too")
for node in (one, two):
    for lease in list(node.records()):
        node.service.ask(request="close", user="alice", lease=lease)
same((leases_of(redis), ports_of(redis)), (set(), {}), "all given back: Redis has nothing left")

# --- two allocators race for all ports -----------------------------------------------

configure(6000, 6059)
refusals = []
for _ in range(40):
    for node, socket_ in ((one, inner), (two, inner_two)):
        node.service.send(socket_, request="open", user="alice", destination="198.51.100.50", address="198.51.100.50", ssh_port="22", udp_ports="33001:33002" if _ % 7 == 0 else "33001:33001")
answers = [node.service.receive() for _ in range(40) for node in (one, two)]
given = [answer for answer in answers if answer["answer"] == "lease"]
codes = {answer["code"] for answer in answers if answer["answer"] == "refused"}
used = [port for answer in given for port in range(int(answer["udp_ports"].split(":")[0]), int(answer["udp_ports"].split(":")[1]) + 1)]
same(len(used), len(set(used)), "no port is leased twice")
ok(len(used) == 60, f"and all are leased ({len(used)} of 60)")
same(codes, {"ports_exhausted"}, "the rest is refused, since there are none left")
same(set(ports_of(redis)), set(used), "Redis has each of them")
for answer in given:
    for node in (one, two):
        if node.service.ask(request="close", user="alice", lease=answer["lease"])["answer"] == "lease":
            break
same(ports_of(redis), {}, "given back, all are free")
two.asperaproxy("standby")
configure(5000, 5200)

# --- Redis is away ---------------------------------------------------------------------

keep = leased(one.service.open(inner), "a lease, before Redis goes")
back = leased(one.service.open(inner), "and one more")
through = tcp_through("inner", keep, server)
for way in ("stopped", "killed"):
    redis.signal(signal.SIGSTOP) if way == "stopped" else redis.kill()
    time.sleep(1.1)  # as long as nobody asks again
    answer, seconds = took(lambda: one.service.open(inner))
    refused(answer, "store_unavailable", f"Redis {way}: no new lease")
    ok(seconds < 2, f"said after {seconds:.2f} s")
    one.change(keep["lease"], deadline=int(keep["deadline"]) - 50)
    answer, seconds = took(lambda: one.service.ask(request="renew", user="alice", lease=keep["lease"]))
    ok(answer.get("answer") == "lease" and int(answer["deadline"]) >= int(keep["deadline"]), "a renewal holds on the master")
    ok(seconds < 2, f"after {seconds:.2f} s")
    ok(alive(through), "what was leased goes on")
    one.reap()
    ok(keep["lease"] in one.elements() and alive(through), "asp-reap does not take it away")
    if way == "stopped":
        redis.signal(signal.SIGCONT)
        ok(until(lambda: one.service.open(inner)["answer"] == "lease"), "going on again, Redis gives ports")
ok(logged("Leases are not shared for now"), "the log says so")
leased(one.service.ask(request="close", user="alice", lease=back["lease"]), "given back while Redis is away")
ok(back["lease"] not in one.elements(), "it ends on the master")
redis.start()
ok(until(lambda: leases_of(redis) == one.records() and keep["lease"] in leases_of(redis)), "a Redis that has lost all is told by the master")
ok(back["lease"] not in leases_of(redis), "but not of what was given back meanwhile")
ok(until(lambda: one.service.open(inner)["answer"] == "lease"), "and there are new leases")

# The master of Redis dies with its node: the one that is left was a replica, nobody
# has made it master yet.
ok(until(lambda: leases_of(replica) == leases_of(redis)), "the replica knows them")
redis.kill()
known = one.records()
two.asperaproxy("takeover")
same(two.elements(), known, "takeover with the replica alone lays all leases")
same(two.role(), "master", "it knows that there may be more")
answer = two.service.ask(request="renew", user="alice", lease=keep["lease"])
same(answer.get("answer"), "lease", "they can be renewed")
refused(two.service.ask(request="renew", user="alice", lease="00000000-0000-4000-8000-000000000000"), "store_unavailable", "one that is not known may be one that was not heard of")
two.reap()
same(two.elements(), known, "asp-reap leaves them in force")
redis.start()
ok(until(lambda: two.role() == "informed", 8), "once Redis is back it knows all")
refused(two.service.ask(request="renew", user="alice", lease="00000000-0000-4000-8000-000000000000"), "not_found", "then what is not known is not there")

# --- garbage in Redis ------------------------------------------------------------------

one.asperaproxy("standby")
two.asperaproxy("standby")
redis.cli("FLUSHALL")
good = text.replace(first["lease"], "ID") + "\n"


def store(number, record, by="proxy1"):
    id = f"00000000-0000-4000-8000-{number:012d}"
    redis.cli("HSET", "sallyport:lease:" + id, "record", record.replace("ID", id), "by", by)
    return id


def edit(number, name, value):
    port = 5000 + number
    text_ = re.sub(r"ssh_port=50\d\d\n(udp_ports)=.*\n", f"ssh_port={port}\\nudp_ports={port}:{port}\n", good, count=1)
    return re.sub(rf"^{name}=.*$", f"{name}={value}", text_, flags=re.M)


valid = store(1, edit(1, "nothing", ""))
valid2 = store(99, edit(99, "nothing", ""))
bad = [store(10, ""), store(11, "garbage"), store(12, "x" * 9000), store(13, edit(13, "address", "127.0.0.1")), store(14, edit(14, "address", "203.0.113.5")),
       store(15, edit(15, "proxy", "203.0.113.9")), store(16, edit(16, "user", "../../../tmp")), store(17, edit(17, "lifetime", "99999999999999")),
       store(18, edit(18, "client", "203.0.113.1")), store(19, edit(19, "lease", "00000000-0000-4000-8000-000000000001")),
       store(20, edit(20, "destination", "a b")), store(21, edit(21, "renew_seconds", "-1")), store(22, edit(22, "started", "x" * 4000)),
       store(23, edit(23, "udp_ports", "1:65535")), store(24, edit(24, "proxy", "2001:db8:2::5")), store(25, edit(25, "address", "169.254.1.1")),
       store(300, edit(300, "nothing", "")), store(1000, edit(1000, "nothing", ""))]
same_port = store(50, edit(1, "nothing", ""))
redis.cli("SET", "sallyport:lease:00000000-0000-4000-8000-000000000077", "a string")
redis.cli("RPUSH", "sallyport:lease:../../etc/passwd", "x")
redis.cli("HSET", "sallyport:lease-next", "a", "b")
redis.cli("HSET", "sallyport:lease-master", "a", "b")
redis.cli("RPUSH", "sallyport:lease-port:5002", "x")
short = store(60, edit(60, "nothing", ""))
redis.cli("PEXPIRE", "sallyport:lease:" + short, "1")
time.sleep(0.05)
one.asperaproxy("takeover")
found = one.elements()
same(found - {same_port, valid}, {valid2}, "of much garbage only what is a lease that may be is laid")
ok(len(found & {same_port, valid}) == 1, "of two with one port, one")
ok(short not in found, "one whose time was over in Redis is not")
same(one.role(), "informed", "and it did not stop the master")
ok(logged("not laid"), "the log says what was not laid, and why")
same(leases_of(redis) - found, set(), "what cannot be is removed from Redis")
more = leased(one.service.open(inner), "and there are new leases")
ok(int(more["ssh_port"]) != 5002, "none with a port that something else has there")
names = one.run("ls", "/run/sallyport/lease_owners")[1].split()
same(names, ["user=alice"], "no name of a user led elsewhere")

# The policy of aspera.conf holds for what comes from others.
one.asperaproxy("standby")
configure(5000, 5200, "<denied_destinations>198.51.100.50</denied_destinations>")
two.asperaproxy("takeover")
same(two.elements(), set(), "what aspera.conf denies here is not laid, whoever leased it")

# --- ten thousand ------------------------------------------------------------------------

def take_over(count):
    """Of so many leases that only Redis has. Returns how many were laid, after how many ms."""
    redis.cli("FLUSHALL")
    lines = []
    for number in range(count):
        id, port = f"00000000-0000-4000-8000-{number:012d}", 5000 + number
        record = edit(number, "nothing", "").replace("ID", id)
        record = re.sub(r"^ssh_port=.*$", f"ssh_port={port}", record, count=1, flags=re.M)
        record = re.sub(r"^udp_ports=.*$", f"udp_ports={port}:{port}", record, count=1, flags=re.M)
        lines.append("HSET sallyport:lease:{} record {} by proxy1\nSET sallyport:lease-port:{} {}\n".format(id, json.dumps(record), port, id))
    redis.cli(stdin="".join(lines))
    same(len(leases_of(redis)), count, f"{count} leases in Redis")
    (status, said, _), seconds = took(lambda: one.asperaproxy("takeover"))
    with open(TMP + "/syslog") as f:
        laid = re.findall(r"Became master of the cluster in (\d+) ms.* (\d+) laid after (\d+) ms", f.read())[-1]
    print(f"# takeover: {laid[1]} leases laid after {laid[2]} ms, all done after {seconds * 1000:.0f} ms", flush=True)
    same(len(one.elements()), count, "are laid by one takeover")
    return int(laid[2])


two.asperaproxy("standby")
configure(5000, 25000)
few = take_over(1000)
one.asperaproxy("standby")
many = take_over(10000)
ok(many < 30 * max(few, 100), "ten times as many do not take thirty times as long")
one.service.end()
two.service.end()
redis.kill()
replica.kill()
done()
