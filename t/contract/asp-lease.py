"""The stories of asp-lease.t, which makes the networks that they are set in."""
import os, socket, subprocess, time
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


def elements():
    listed = run("nft", "list", "table", "inet", "sallyport_lease")[1]
    return listed.count("comment")


HASH = "$y$j9T$abcdefghijklmnop$" + "a" * 43
configure()
users(f"alice:{HASH}:nobody:", f"bob:{HASH}:nobody:", f"root:{HASH}:nobody:admin")

four = Listener("203.0.113.1")
six = Listener("2001:db8:2::1")
server4 = Server("outer", "198.51.100.50", 22, [33001, 33002, 33003])
server6 = Server("outer", "2001:db8:1::50", 22, [33001])
_, inner = four.connect("inner")
lease = Lease(PREFIX + "/libexec/asp-lease", NODE)
one = leased(lease.open(inner), "a lease")
print(one)
pair = tcp_through("inner", one, server4)
print(pair)
print(pair and alive(pair))
udp = Udp("inner", one)
print(udp.arrives(server4.udp[33001]), udp.answered(server4.udp[33001]))
print(lease.ask(request="close", user="alice", lease=one["lease"]))
print(pair and alive(pair), udp.arrives(server4.udp[33001]))
print(run("nft", "list", "table", "inet", "sallyport_lease")[1])
t=time.time()
for i in range(100):
    lease.open(inner)
print((time.time()-t)/100)
t=time.time()
for i in range(100):
    lease.send(inner, request="open", user="alice", destination="198.51.100.50", address="198.51.100.50", ssh_port="22", udp_ports="33001:33001")
for i in range(100):
    lease.receive()
print((time.time()-t)/100)
print(run(PREFIX + "/bin/asp-reap"))
os.system("cat $TMP/syslog | tail -3")
done()
