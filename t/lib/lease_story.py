"""lease_story.py: what the stories of asp-lease have in common. See story.py.

  proxy = Listener("203.0.113.1")       # the node service's port
  inner = proxy.connect("inner")[1]     # its end of a client's connection
  lease = Lease()                       # the service's own asp-lease
  one = leased(lease.open(inner), "a lease")

Before a story begins there are the users alice, bob and operator, an administrator,
and an aspera.conf that only enables the forward proxy.
"""
from story import *
enter("lease_scene.sh")
import os
import re
import lease as service
from lease import *

PROGRAM = PREFIX + "/libexec/asp-lease"


def Lease():
    return service.Lease(PROGRAM, NODE_UID)


# The story's own networks are among those that no lease leads to by itself.
EVERYWHERE = "<allowed_destinations>0.0.0.0/0 ::/0</allowed_destinations>"


def configure(proxy="", extra="", allowed=EVERYWHERE):
    proxy = proxy if "<allowed_destinations>" in proxy else allowed + proxy
    write(CONF, f"""<CONF version="2"><server>
<listen>9091</listen>{extra}
<proxy><enabled>true</enabled>{proxy}</proxy></server></CONF>
""")


def users(*lines):
    write(NODE_USERS, "".join(line + "\n" for line in lines), 0o640, NODE_UID)


def all_users():
    users(f"alice:{HASH}:nobody:", f"bob:{HASH}:nobody:", f"operator:{HASH}:nobody:admin")


def mapped():
    """Elements in force, by lease."""
    found = {}
    for lease_id in re.findall('comment "([0-9a-f-]{36})"', run("nft", "list", "table", "inet", "sallyport_lease")[1]):
        found[lease_id] = found.get(lease_id, 0) + 1
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


def give_back(lease, user="operator"):
    """All of that user's; the operator's are everybody's."""
    for one in lease.list(user=user)[0]:
        lease.ask(request="close", user=user, lease=one["lease"])


def change_record(id, **fields):
    """As if time had passed."""
    path = f"/run/sallyport/leases/{id}"
    with open(path) as f:
        record = dict(line.split("=", 1) for line in f.read().splitlines() if line)
    record.update({name: str(value) for name, value in fields.items()})
    with open(path, "w") as f:
        f.writelines(f"{name}={value}\n" for name, value in record.items())
    os.utime(path, (0 if "ending" in fields else int(record["deadline"]),) * 2)


def reap():
    return run(PREFIX + "/bin/asp-reap")


configure()
all_users()
