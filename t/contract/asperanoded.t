#!/usr/bin/env python3
"""asperanoded: when it refuses to start and what it says then, how it starts, and how it ends."""
import os, re, socket, sys
sys.path.insert(0, sys.path[0] + "/../lib")
from node_story import *


def refuses(code, why, name):
    since = len(log())
    got, out, err = run(NODE)
    same(got, code, f"{name}: exit {code}")
    ok(out == "" and re.search(r"^asperanoded: Failed to initialize proxy service: [^\n]*" + why, err, re.M), "says why, on one line") or print("# " + err)
    ok(until(lambda: re.search("ERR Failed to initialize proxy service: .*" + why, log()[since:]), 2), "in the log, too") or print("# " + log()[since:])


# --- it refuses to start ------------------------------------------------------------------

os.unlink(CONF)
same(run(NODE, "-x")[0], 64, "an unknown option: exit 64")
same(run(NODE, "x")[0], 64, "an operand: exit 64")
same(run(NODE, user=65534)[0], 77, "not root: exit 77")
refuses(78, "aspera.conf", "without aspera.conf")
configure("<enabled>false</enabled>")
refuses(78, "set <enabled>true</enabled> in <server><proxy>", "not enabled")
same(run(NODE, "-e")[0], 1, "-e then: exit 1")
configure()
same(run(NODE, "-e")[0], 0, "-e when it is: exit 0")
configure("<bogus/>")
same(run(NODE, "-e")[0], 0, "-e with a wrong file: exit 0, so that the start says what is wrong")
for server, proxy, why, name in [
        ("<enable_https>false</enable_https>", "", "no listeners: set <enable_http> or <enable_https>", "no listener"),
        ("", "<bind_ip_address>2001:db8:2::1</bind_ip_address><bind_ip_netmask>255.255.255.0</bind_ip_netmask>", "bind_ip_netmask is of IPv4", "a netmask of an IPv6 address"),
        ("", "<bind_ip_address>192.0.2.77</bind_ip_address>", "bind 192.0.2.77:9092: .*no such address", "an address of somebody else"),
        (f"<cert_file>{CONF}</cert_file>", "", "<cert_file> without <key_file>", "certificate without key"),
        (f"<chain_file>{CONF}</chain_file>", "", "<chain_file> without <cert_file>", "chain alone"),
        (f"<cert_file>/no</cert_file><key_file>/no</key_file>", "", "<cert_file>: open /no", "no such certificate"),
        ("<iptables_path>/opt/iptables</iptables_path>", "", "<iptables_path> /opt/iptables: .*remove the setting", "another iptables")]:
    configure("<enabled>true</enabled>" + proxy, server)
    refuses(78, why, name)
taken = socket.create_server(("0.0.0.0", 9091))
configure()
refuses(71, "bind 0.0.0.0:9091: Address already in use: .*ss -ltnp", "a taken port")
taken.close()
os.unlink(KEY)
refuses(78, "aspera_server_cert.pem exists without .*aspera_server_key.pem", "certificate of its own without key")
os.unlink(CERT)
iptables = os.path.realpath("/usr/sbin/iptables-restore")
run("mount", "--bind", "/dev/null", iptables)
refuses(78, "iptables-restore is missing: apt-get install iptables", "no iptables")
run("umount", iptables)
refuses(71, "asp-lease gives no answer at .*lease.sock: systemctl start", "asp-lease does not listen")
open_door()
write(NODE_USERS, "alice:x:nobody:\n", 0o666)
refuses(78, "node_users.conf", "a users file that anybody may write to")
three_users()

# --- it starts --------------------------------------------------------------------------------

for path in CERT, KEY:
    os.unlink(path)
configure()
since = len(log())
node = start()
print_ = run("openssl", "x509", "-in", CERT, "-noout", "-fingerprint", "-sha256")[1].strip().partition("=")[2]
same(own_lines(since), ["LOG proxy service ready (port range 5000-10000)", f"LOG Started on port(s) 9091,9092s certificate SHA-256 {print_}"],
     "the start-up lines of the guide, and nothing else")
state = open(f"/proc/{node.pid}/status").read()
ok("Uid:\t64321\t64321\t64321\t64321" in state and "Gid:\t64321\t64321\t64321\t64321" in state and "CapPrm:\t" + "0" * 16 in state, "root is dropped for good")
same([os.stat(f).st_mode & 0o777 for f in (CERT, KEY)], [0o644, 0o600], "its key is root's alone")
same(run(NODE)[0], 75, "a second one: exit 75")

# --- it ends -------------------------------------------------------------------------------

lease = once("POST", "/proxy/leases", TO_SERVER)[1]
since = len(log())
node.terminate()
same(node.wait(timeout=15), 0, "SIGTERM: exit 0")
ok(lease["id"] in run("nft", "list", "table", "inet", "sallyport_lease")[1], "leases go on")
same(own_lines(since), ["LOG Ended; leases go on"], "says so")

# --- a netmask of no address ----------------------------------------------------------------

configure("<enabled>true</enabled><bind_ip_netmask>255.255.255.240</bind_ip_netmask>")
node = start()
same(once("GET", "/ping")[0], 200, "a client within the netmask of the address that it calls is served")
no(403, "forbidden", once("GET", "/ping", client={"namespace": "inner2"}), "one beyond it")
no(403, "forbidden", once("GET", "/ping", client={"address": PROXY6}), "one that calls by IPv6")
node.terminate()
node.wait(timeout=15)
done()
