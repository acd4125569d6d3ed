"""The stories of asperanoded.t, which makes the networks that they are set in."""
import base64, concurrent.futures, http.client, json, os, re, signal, socket, ssl, subprocess, time
from lease import done, make, ok, same, until

PREFIX, TMP = os.environ["PREFIX"], os.environ["TMP"]
CONF, NODE = PREFIX + "/etc/aspera.conf", PREFIX + "/bin/asperanoded"
PID_FILE, CERT = "/run/sallyport/asperanoded.pid", PREFIX + "/etc/aspera_server_cert.pem"
KEY = PREFIX + "/etc/aspera_server_key.pem"
PROXY4, PROXY6 = "203.0.113.1", "2001:db8:2::1"
SALT = "$y$j9T$abcdefghijklmnop$"


def write(path, text, mode=0o644, group=0):
    with open(path + ".new", "w") as f:
        f.write(text)
    os.chown(path + ".new", 0, group)
    os.chmod(path + ".new", mode)
    os.rename(path + ".new", path)


def configure(proxy="<enabled>true</enabled>", server="<enable_http>true</enable_http>"):
    write(CONF, f'<CONF version="2"><server>{server}<proxy>{proxy}</proxy></server></CONF>\n')


def crypt(password):
    """crypt(3) of the system; Python's own went with its version 3.13."""
    return subprocess.run(["perl", "-e", "print crypt($ARGV[0], $ARGV[1])", password, SALT], check=True, capture_output=True, text=True).stdout


def users(**passwords):
    lines = [f"{name}:{crypt(password)}:nobody:{'admin' if name == 'op' else ''}\n" for name, password in passwords.items()]
    write(PREFIX + "/etc/node_users.conf", "".join(lines), 0o640, 64321)


def run(*argv, **more):
    more = {"timeout": 30, "stdin": subprocess.DEVNULL} | more
    done = subprocess.run(argv, capture_output=True, text=True, **more)
    return done.returncode, done.stdout, done.stderr


def log():
    with open(TMP + "/syslog") as f:
        return f.read()


def own_lines(since=0):
    return [line.split("]: ", 1)[1] for line in log()[since:].splitlines() if " asperanoded[" in line]


def refuses(code, why, name):
    since = len(log())
    got, out, err = run(NODE)
    same(got, code, f"{name}: exit {code}")
    ok(out == "" and re.search(r"^asperanoded: Failed to initialize proxy service: [^\n]*" + why, err, re.M), "says why, on one line") or print("# " + err)
    ok(until(lambda: re.search("ERR Failed to initialize proxy service: .*" + why, log()[since:]), 2), "in the log, too") or print("# " + log()[since:])


# AddressSanitizer, if it is there, keeps little of what was freed: memory is measured.
SANE = {**os.environ, "ASAN_OPTIONS": "quarantine_size_mb=1:thread_local_quarantine_size_kb=16"}


def start():
    node = subprocess.Popen([NODE], env=SANE, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    assert until(lambda: node.poll() is not None or (os.path.exists(PID_FILE) and open(PID_FILE).read() == f"{node.pid}\n")), "it does not start"
    assert node.poll() is None, f"it ended with {node.returncode}: {log()}"
    return node


# --- a client -------------------------------------------------------------------------

def connect(namespace, address, port, source=None):
    s = make(namespace, address, socket.SOCK_STREAM)
    if source:
        s.bind((source, 0))
    s.settimeout(20)
    s.connect((address, port))
    return s


class Client:
    def __init__(self, namespace="inner", address=PROXY4, tls=False, user="alice:secret", source=None):
        self.http = http.client.HTTPConnection(address, 9092 if tls else 9091)
        self.http.sock = connect(namespace, address, 9092 if tls else 9091, source)
        if tls:
            self.http.sock = ssl.create_default_context(cafile=CERT).wrap_socket(self.http.sock, server_hostname=address)
        self.headers = {"Authorization": "Basic " + base64.b64encode(user.encode()).decode()} if user else {}

    def ask(self, method, path, body=None, **headers):
        sent = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, dict):
            body = json.dumps(body)
            sent.setdefault("Content-Type", "application/json")
        self.http.request(method, path, body, sent)
        answer = self.http.getresponse()
        self.status, self.answer_headers, self.text = answer.status, answer.headers, answer.read().decode()
        return json.loads(self.text) if "json" in answer.headers.get("Content-Type", "") and self.text else self.text

    def lease(self, destination="198.51.100.50", **more):
        return self.ask("POST", "/proxy/leases", {"destination": destination} | more)

    def close(self):
        self.http.close()


def once(method, path, body=None, client={}, **headers):
    c = Client(**client)
    answer = c.ask(method, path, body, **headers)
    c.close()
    return c.status, answer, c.answer_headers


def no(status, code, got, name):
    ok(got[0] == status and isinstance(got[1], dict) and got[1].get("error", {}).get("code") == code and got[1]["error"].get("message"),
       f"{name}: {status} {code}") or print(f"# got: {got[:2]}")


# --- it refuses to start ------------------------------------------------------------------

os.chmod("/dev/log", 0o666)
users(alice="secret", bob="other", op="boss")
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
        ("", "<bind_ip_netmask>255.255.255.0</bind_ip_netmask>", "<bind_ip_netmask> without <bind_ip_address>", "netmask alone"),
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
refuses(78, "aspera_server_cert.pem is there without .*aspera_server_key.pem", "certificate of its own without key")
os.unlink(CERT)
iptables = os.path.realpath("/usr/sbin/iptables-restore")
run("mount", "--bind", "/dev/null", iptables)
refuses(78, "iptables-restore is missing: apt-get install iptables", "no iptables")
run("umount", iptables)
os.rename(TMP + "/etc/sudoers.d/sallyport", TMP + "/sudoers.away")
refuses(71, "asp-lease gives no answer: .*sudoers", "sudo does not permit it")
os.rename(TMP + "/sudoers.away", TMP + "/etc/sudoers.d/sallyport")
write(PREFIX + "/etc/node_users.conf", "alice:x:nobody:\n", 0o666)
refuses(78, "node_users.conf", "a users file that anybody may write to")
users(alice="secret", bob="other", op="boss")

# --- it starts --------------------------------------------------------------------------------

for path in CERT, KEY:
    os.unlink(path)
configure("<enabled>true</enabled><cleanup_interval>1</cleanup_interval>"
          "<denied_destinations>192.0.2.0/24, denied.example.com</denied_destinations>")
since = len(log())
node = start()
print_ = run("openssl", "x509", "-in", CERT, "-noout", "-fingerprint", "-sha256")[1].strip().partition("=")[2]
same(own_lines(since), ["LOG proxy service ready (port range 5000-10000)", f"LOG Started on port(s) 9091,9092s certificate SHA-256 {print_}"],
     "the start-up lines of the guide, and nothing else")
state = open(f"/proc/{node.pid}/status").read()
ok("Uid:\t64321\t64321\t64321\t64321" in state and "Gid:\t64321\t64321\t64321\t64321" in state and "CapPrm:\t" + "0" * 16 in state, "root is dropped for good")
same([os.stat(f).st_mode & 0o777 for f in (CERT, KEY)], [0o644, 0o600], "its key is root's alone")
same(run(NODE)[0], 75, "a second one: exit 75")


def slow_client(data, every):
    s = connect("inner2", "203.0.113.17", 9091)
    began = time.monotonic()
    try:
        for byte in data:
            s.send(bytes([byte]))
            time.sleep(every)
        s.recv(1)
    except OSError:
        pass
    return time.monotonic() - began


# Judged at the end: these take as long as they are let.
slow = concurrent.futures.ThreadPoolExecutor(4)
slow_header = slow.submit(slow_client, b"GET /ping HTTP/1.1\r\nHost: x\r\n" + b"X: " + b"y" * 100, 1)
slow_body = slow.submit(slow_client, b"POST /proxy/leases HTTP/1.1\r\nHost: x\r\nContent-Length: 8000\r\n\r\n" + b" " * 100, 1)
mute = slow.submit(slow_client, b"", 1)

# --- the API --------------------------------------------------------------------------------------

same(once("GET", "/ping", client={"user": None})[:2], (200, {"status": "ok"}), "ping, without login")
status, text, headers = once("GET", "/openapi.yaml", client={"user": None})
same((status, text), (200, open("etc/node-api.openapi.yaml").read()), "the description, without login")
same(headers["Cache-Control"], "no-store", "nothing is to be stored")
for name in "inner", "tls":
    c = Client(tls=name == "tls")
    lease = c.lease("server.example.com", ssh_port=33001, udp_port="33001:33003")
    same((c.status, c.answer_headers["Location"]), (201, "/proxy/leases/" + lease.get("id", "?")), f"a lease ({name}): 201 and Location")
    port = lease["ssh_port"]
    same((lease["host"], lease["udp_port"], lease["address"], lease["client"], lease["user"]),
         (PROXY4, f"{port}:{port + 2}", "198.51.100.50", "203.0.113.2", "alice"), "says where, and for whom")
    ok(lease["id"] in run("nft", "list", "table", "inet", "sallyport_lease")[1], "and it is in force")
    same(c.ask("GET", "/proxy/leases/" + lease["id"]), lease, "it can be looked at")
    same(c.ask("PUT", "/proxy/leases/" + lease["id"]), lease, "and renewed")
    same([one["id"] for one in c.ask("GET", "/proxy/leases")["leases"]], [lease["id"]], "it is in the list")
    c.ask("HEAD", "/proxy/leases")
    same((c.status, c.text), (200, ""), "HEAD: no body")
    bob, op = {"user": "bob:other"}, {"user": "op:boss"}
    for method in "GET", "PUT", "DELETE":
        no(404, "not_found", once(method, "/proxy/leases/" + lease["id"], client=bob), f"{method} of another's")
    same(once("GET", "/proxy/leases", client=bob)[1], {"leases": []}, "others do not see it")
    same(len(once("GET", "/proxy/leases", client=op)[1]["leases"]), 1, "an admin does")
    c.ask("DELETE", "/proxy/leases/" + lease["id"])
    same((c.status, c.text), (204, ""), "given back: 204")
    ok(lease["id"] not in run("nft", "list", "table", "inet", "sallyport_lease")[1], "and no more in force")
    no(404, "not_found", once("DELETE", "/proxy/leases/" + lease["id"]), "once more")
status, lease, _ = once("POST", "/proxy/leases", {"destination": "server.example.com"}, {"address": PROXY6})
same((status, lease["address"], lease["host"]), (201, "2001:db8:1::50", PROXY6), "by IPv6 the name's IPv6 address is leased")
once("DELETE", "/proxy/leases/" + lease["id"], client={"address": PROXY6})
info = once("GET", "/info")[1]
same((info["name"], info["port_range"], info["renew_seconds"]), ("sallyport", {"low": 5000, "high": 10000}, 0), "/info")

for destination, code, status in [("nowhere.example.com", "unresolvable", 422), ("2001:db8:1::50", "unresolvable", 422), ("192.0.2.1", "destination_denied", 403),
                                  ("elsewhere.example.com", "destination_denied", 403), ("127.0.0.1", "destination_denied", 403), (PROXY4, "destination_denied", 403),
                                  ("127.1", "bad_request", 400), ("", "bad_request", 400)]:
    no(status, code, once("POST", "/proxy/leases", {"destination": destination}), f"to '{destination}'")
no(403, "other_address", once("POST", "/proxy/leases", {"destination": "198.51.100.50", "client": "203.0.113.3"}), "for another address")
same(once("POST", "/proxy/leases", {"destination": "198.51.100.50", "client": "203.0.113.2"})[0], 201, "for one's own, said: 201")
no(403, "forbidden", once("POST", "/proxy/leases", {"destination": "198.51.100.50"}, {"namespace": None}), "from the proxy itself")
no(400, "bad_request", once("POST", "/proxy/leases", {"destination": "198.51.100.50", "user": "op"}), "an unknown member")
no(400, "bad_request", once("GET", "/proxy/leases?user=op"), "something behind a question mark")
no(400, "bad_request", once("PUT", "/proxy/leases/" + lease["id"], {"lifetime": 1}), "a body where none is taken")
no(415, "unsupported_media_type", once("POST", "/proxy/leases", '{"destination":"198.51.100.50"}'), "not said to be JSON")
no(413, "payload_too_large", once("POST", "/proxy/leases", "x" * 8193, Content_Type="application/json"), "8193 bytes")
no(400, "bad_request", once("POST", "/proxy/leases", "x" * 8192, Content_Type="application/json"), "8192 bytes are read")
no(413, "payload_too_large", once("POST", "/proxy/leases", (b"x" * 1000 for _ in range(9)), Content_Type="application/json"), "9000 bytes in chunks")
for path in "/", "/proxy", "/proxy/leases/", "/proxy/leases/x", "/proxy/leases/../../ping", "/%70ing", "//ping", "/ping%00":
    no(404, "not_found", once("GET", path), path)
got = once("DELETE", "/proxy/leases")
no(405, "method_not_allowed", got, "DELETE of all")
same(got[2]["Allow"], "GET, HEAD, POST, OPTIONS", "says what is taken")
no(405, "method_not_allowed", once("BREW", "/ping"), "an unknown method")
got = once("OPTIONS", "/proxy/leases", client={"user": None})
same((got[0], got[2]["Allow"]), (204, "GET, HEAD, POST, OPTIONS"), "OPTIONS")

# The description says what the code says.
described = open("etc/node-api.openapi.yaml").read()
in_code = sorted(re.findall(r'^    \{"([a-z_]+)", (\d+)\},', open("cmd/asperanoded/refusal.cc").read(), re.M))
same(sorted(re.findall(r"^ {16}([a-z_]+) (\d+): ", described, re.M)), in_code, "the description has every code with its status, and no other")
same(sorted(re.search(r"enum: \[(bad_request.*)\]", described)[1].split(", ")), [code for code, _ in in_code], "the list of codes, too")
routes = {path: methods.split(", ") for path, methods in re.findall(r'^    \{"(/\S*)", "([A-Z, ]+)", \w+\},', open("cmd/asperanoded/api.cc").read(), re.M)}
paths, here = {}, None
for line in described[:described.index("\ncomponents:")].splitlines():
    if found := re.match(r"  (/\S*):$", line):
        here = paths.setdefault(found[1], [])
    elif (found := re.match(r"    (get|head|post|put|delete|options):", line)) and here is not None:
        here.append(found[1].upper())
same({p: sorted(m) for p, m in paths.items()}, {p: sorted(m) for p, m in routes.items()}, "and every path with its methods")
for path, methods in routes.items():
    same(once("OPTIONS", path.replace("{id}", lease["id"]))[2]["Allow"], ", ".join(methods), f"{path}: Allow")

# --- who asks -----------------------------------------------------------------------------------------

got = once("GET", "/info", client={"user": None})
no(401, "unauthorized", got, "without login")
same(got[2]["WWW-Authenticate"], 'Basic realm="sallyport"', "is asked for one")
began = time.monotonic()
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    wrong = [pool.submit(once, "GET", "/info", None, {"user": user}) for user in ("alice:Pa55-wrong", "nobody\x1b[2J:x", "root:x", ":")]
    wrong += [pool.submit(once, "GET", "/info", None, {"user": None}, Authorization=value) for value in ("Bearer x", "Basic", "Basic %%%")]
    answered = []
    wrong[0].add_done_callback(lambda _: answered.append("wrong login"))
    same(once("GET", "/ping")[0], 200, "meanwhile others are answered")
    answered.append("ping")
    ok(answered == ["ping"], "at once")
for one in wrong:
    no(401, "unauthorized", one.result(), "a wrong login")
ok(time.monotonic() - began >= 1, "is answered late")
ok(until(lambda: "LOG Refused login user=alice address=203.0.113.2" in log() and "user=? address=" in log(), 2), "and is in the log")
ok("\x1b" not in log() and "Pa55-wrong" not in log() and "secret" not in log(), "escaped, and without passwords")
no(403, "forbidden", once("GET", "/metrics"), "metrics for a user")
metrics = once("GET", "/metrics", client={"user": "op:boss"})[1]
ok(re.search(r"^sallyport_node_login_failures_total 7$", metrics, re.M) and "Pa55" not in metrics and "alice" not in metrics, "for an admin: counted, and without names") or print("# " + metrics)
same(once("GET", "/metrics", client={"namespace": None, "address": "127.0.0.1", "user": None})[0], 200, "and without login from the proxy itself")
users(alice="new", carol="third", op="boss")
same(once("GET", "/info", client={"user": "carol:third"})[0], 200, "a new user is let in without a restart")
no(401, "unauthorized", once("GET", "/info", client={"user": "alice:secret"}), "an old password no more, though it was right a moment ago")
no(401, "unauthorized", once("GET", "/info", client={"user": "bob:other"}), "nor one who is no user any more")
write(PREFIX + "/etc/node_users.conf", "nonsense\n", 0o640, 64321)
no(500, "internal", once("GET", "/info", client={"user": "carol:third"}), "users that cannot be read let nobody in")
users(alice="secret", bob="other", op="boss")
same(once("GET", "/info")[0], 200, "until they can be again")
with concurrent.futures.ThreadPoolExecutor(40) as pool:
    source = {"namespace": "inner2", "address": "203.0.113.17"}
    guesses = list(pool.map(lambda i: once("GET", "/info", None, source | {"user": f"alice:guess{i}"}), range(40)))
throttled = sum(one[1]["error"]["message"].startswith("Too many failed logins") for one in guesses)
ok(10 <= throttled <= 20, "of 40 wrong logins at once half are not even looked at") or print(f"# {throttled}")
no(503, "busy", once("GET", "/info", None, source | {"user": "bob:other"}), "nor is a right one from there")
same(once("GET", "/info", None, {"user": "bob:other"})[0], 200, "from elsewhere it is")

# --- TLS ---------------------------------------------------------------------------------------------------

for version, wanted in (("-tls1", False), ("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)):
    out = run("ip", "netns", "exec", "inner", "openssl", "s_client", "-connect", PROXY4 + ":9092", version, "-cipher", "ALL:@SECLEVEL=0")
    ok(("Cipher is (NONE)" not in out[1] and "New, TLS" in out[1]) == wanted, f"openssl s_client {version}: {'taken' if wanted else 'refused'}") or print("# " + out[1] + out[2])
out = run("ip", "netns", "exec", "inner", "curl", "-sS", "--cacert", CERT, f"https://{PROXY4}:9092/ping")
same(out[1], '{"status":"ok"}\n', "curl trusts its certificate for its address")
names = run("openssl", "x509", "-in", CERT, "-noout", "-ext", "subjectAltName")[1]
ok(all(word in names for word in (socket.gethostname(), PROXY4, "2001:DB8:2:0:0:0:0:1")), "which has the host's name and addresses")

# --- what comes from outside -----------------------------------------------------------------------------------


def raw(port, data, half=False):
    s = connect("inner", PROXY4, port)
    try:
        s.sendall(data)
        if half:
            s.shutdown(socket.SHUT_WR)
        got = b""
        while part := s.recv(65536):
            got += part
        return got
    except OSError:
        return b""
    finally:
        s.close()


hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"r" * 500
for name, port, data in (("TLS", 9091, hello), ("noise", 9091, os.urandom(4096)), ("NULs", 9091, b"\0" * 4096), ("plain HTTP", 9092, b"GET /ping HTTP/1.0\r\n\r\n"), ("noise", 9092, os.urandom(4096)),
                         ("a long header", 9091, b"GET /ping HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 100000 + b"\r\n\r\n"), ("a long path", 9091, b"GET /" + b"x" * 100000 + b" HTTP/1.1\r\n\r\n"),
                         ("10,000 headers", 9091, b"GET /ping HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 10000 + b"\r\n"), ("a negative length", 9091, b"POST /proxy/leases HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"),
                         ("a huge length", 9091, b"POST /proxy/leases HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n")):
    got = raw(port, data, half=True)
    ok(b" 200 OK" not in got and b" 201 " not in got, f"{name} on port {port} gets nothing")
login = b"Authorization: Basic " + base64.b64encode(b"alice:secret")


def my_leases():
    return len(once("GET", "/proxy/leases")[1]["leases"])


before = my_leases()
got = raw(9091, b"POST /proxy/leases HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n" + login + b"\r\nContent-Length: 31\r\n\r\n" + b'{"destination":"198.51.100.50"}', half=True)
ok(b" 201 Created" in got or until(lambda: my_leases() == before), "who shuts his half of the connection is answered, or has no lease")
same(once("GET", "/ping")[0], 200, "others are served after all that")
got = raw(9091, b"GET /info HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + login + b"\r\n" + login + b"\r\n\r\n")
ok(b" 401 " in got, "two logins in one request are none")

# One address may have many connections, not all of them.
held = []
for _ in range(260):
    held.append(connect("inner2", "203.0.113.17", 9091))


def is_open(s):
    s.settimeout(0.01)
    try:
        return s.recv(1) != b""
    except TimeoutError:
        return True
    except OSError:
        return False


ok(until(lambda: sum(map(is_open, held)) <= 200, 5), "260 connections of one address: the rest is closed")
same(once("GET", "/ping")[0], 200, "and others get theirs")
for s in held:
    s.close()

# A name server that does not answer holds up nobody who needs none.
with concurrent.futures.ThreadPoolExecutor(60) as pool:
    configure("<enabled>true</enabled><cleanup_interval>1</cleanup_interval>")
    waiting = [pool.submit(once, "POST", "/proxy/leases", {"destination": f"slow{i}.example.org"}) for i in range(60)]
    began = time.monotonic()
    same(once("POST", "/proxy/leases", {"destination": "198.51.100.50"})[0], 201, "while 60 names are looked for")
    ok(time.monotonic() - began < 2, "a lease to an address comes soon")
answers = [one.result() for one in waiting]
same(sorted({(one[0], one[1]["error"]["code"]) for one in answers}), [(422, "unresolvable"), (503, "busy")], "the names are given up in time, or at once")

# --- asp-lease comes and goes ---------------------------------------------------------------------------------------


def helper():
    found = run("pgrep", "-x", "asp-lease")[1].split()
    return int(found[0]) if found else None


lease = once("POST", "/proxy/leases", {"destination": "198.51.100.50"})[1]
old = helper()
above = int(run("ps", "-o", "ppid=", "-p", str(old))[1])  # sudo, which stops with it
before = my_leases()
gone = connect("inner", PROXY4, 9091)
gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
os.kill(old, signal.SIGSTOP)
gone.sendall(b"POST /proxy/leases HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + login + b"\r\nContent-Length: 31\r\n\r\n" + b'{"destination":"198.51.100.50"}')
until(lambda: False, 0.5)  # it is on its way
gone.close()
os.kill(above, signal.SIGCONT)
os.kill(old, signal.SIGCONT)
same(once("POST", "/proxy/leases", {"destination": "198.51.100.50"})[0], 201, "who asks after somebody who is gone gets a lease")
ok(until(lambda: my_leases() == before + 1, 5), "who is gone has none")
os.kill(old, signal.SIGSTOP)
with concurrent.futures.ThreadPoolExecutor(5) as pool:
    waiting = [pool.submit(once, "POST", "/proxy/leases", {"destination": "198.51.100.50"}) for _ in range(5)]
    until(lambda: False, 0.3)
    os.kill(old, signal.SIGKILL)
    os.kill(above, signal.SIGCONT)
    for one in waiting:
        no(503, "busy", one.result(), "asp-lease was killed meanwhile")
ok(until(lambda: once("GET", "/proxy/leases/" + lease["id"])[0] == 200), "a new one is started, and the lease is there")
ok(helper() not in (None, old), "another process")
node.kill()
node.wait()
ok(until(lambda: helper() is None), "when asperanoded is killed asp-lease ends, too")
node = start()
same(once("GET", "/proxy/leases/" + lease["id"])[0], 200, "started anew, it knows the lease")

# --- settings change ---------------------------------------------------------------------------------------------------

configure("<enabled>true</enabled><cleanup_interval>1</cleanup_interval><keepalive_interval>1</keepalive_interval>")
status, short, _ = once("POST", "/proxy/leases", {"destination": "198.51.100.50"})
ok(status == 201 and short["renew_seconds"] == 1 and re.match(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$", short["expires"]), "a changed aspera.conf is in force at once")
ok(until(lambda: once("GET", "/proxy/leases/" + short["id"])[0] == 404, 8), "what is over is swept away")
write(CONF, "<CONF><server><proxy><bogus/></proxy></server></CONF>")
since = len(log())
node.send_signal(signal.SIGHUP)
ok(until(lambda: re.search(r"asperanoded.*ERR .*bogus: unknown element.*stays so", log()[since:]), 3), "SIGHUP with a wrong file: the log says so")
same(once("GET", "/info")[1]["lifetime_seconds"], 1, "and nothing changes")
configure("<enabled>true</enabled><authentication>false</authentication>")
node.send_signal(signal.SIGHUP)
ok(until(lambda: "LOG Read " + CONF + " again" in log(), 3), "SIGHUP with a right one: says so, too")
nobody = {"user": None}
status, free, _ = once("POST", "/proxy/leases", {"destination": "198.51.100.50"}, nobody)
ok(status == 201 and "user" not in free, "without <authentication> anybody may")
no(404, "not_found", once("DELETE", "/proxy/leases/" + free["id"], client=nobody | {"namespace": "inner2", "address": "203.0.113.17"}), "the lease is of the address that asked")
same(once("DELETE", "/proxy/leases/" + free["id"], client=nobody)[0], 204, "which may end it")
no(403, "forbidden", once("GET", "/metrics", client=nobody), "metrics are not for anybody")
configure()

# --- many ---------------------------------------------------------------------------------------------------------------------


def size():
    fds = len(os.listdir(f"/proc/{node.pid}/fd"))
    rss = int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{node.pid}/status").read())[1])
    return fds, rss


def work(number, leases=20):
    keep, took = number % 2 == 0, []
    client = Client(tls=number % 4 == 0) if keep else None
    for _ in range(leases):
        began = time.monotonic()
        c = client or Client()
        lease = c.lease()
        took.append((time.monotonic() - began, c.status))
        statuses = [c.status]
        for method in "PUT", "DELETE":
            c = client or Client()
            c.ask(method, "/proxy/leases/" + lease.get("id", "none"))
            statuses.append(c.status)
            keep or c.close()
        took[-1] += (statuses,)
    if client:
        client.close()
    return took


def many(clients, leases=20):
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        return [one for got in pool.map(lambda n: work(n, leases), range(clients)) for one in got]


many(50, 4)
before = size()
got = many(50)
same([one[2] for one in got if one[2] != [201, 200, 204]], [], "1,000 leases opened, renewed and closed by 50 clients at a time")
ok(until(lambda: size()[0] <= before[0] + 3, 5), "no descriptor is left") or print(f"# {before} {size()}")
ok(size()[1] <= before[1] + 8000, "nor memory") or print(f"# {before} {size()}")
if os.environ.get("ASPERANODED_BENCH"):  # ten processes, connections kept
    def clients(number):
        took, s = [], connect("inner", PROXY4, 9091)
        body = b'{"destination":"198.51.100.50"}'
        head = b"Host: x\r\nAuthorization: Basic " + base64.b64encode(b"alice:secret") + b"\r\n"
        for _ in range(100):
            began = time.monotonic()
            s.sendall(b"POST /proxy/leases HTTP/1.1\r\n" + head + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            got = s.recv(65536)
            took.append(time.monotonic() - began)
            s.sendall(b"DELETE " + re.search(rb"Location: (\S+)", got)[1] + b" HTTP/1.1\r\n" + head + b"\r\n")
            s.recv(65536)
        return took

    pipes = [os.pipe() for _ in range(10)]
    for number, (_, out) in enumerate(pipes):
        if os.fork() == 0:
            os.write(out, json.dumps(clients(number)).encode())
            os._exit(0)
        os.close(out)
    took = sorted(sum((json.loads(open(pipe, "rb").read()) for pipe, _ in pipes), []))
    print(f"# POST by 10 clients: median {took[len(took) // 2] * 1000:.1f} ms, p99 {took[len(took) * 99 // 100] * 1000:.1f} ms; fds, RSS KiB: {before} {size()}")

# --- the end ----------------------------------------------------------------------------------------------------------------------

for name, one in (("header", slow_header), ("body", slow_body), ("nothing", mute)):
    seconds = one.result(timeout=40)
    ok(seconds < 30, f"who sends his {name} byte by byte is cut off") or print(f"# {seconds}")
lease = once("POST", "/proxy/leases", {"destination": "198.51.100.50"})[1]
since = len(log())
node.terminate()
same(node.wait(timeout=15), 0, "SIGTERM: exit 0")
ok(lease["id"] in run("nft", "list", "table", "inet", "sallyport_lease")[1], "leases go on")
same(own_lines(since), ["LOG Ended; leases go on"], "says so")
done()
