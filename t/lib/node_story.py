"""node_story.py: what the stories of asperanoded have in common. See story.py.

  node = start()                         # it listens on 9091 and 9092
  status, answer, headers = once("GET", "/ping")   # inner asks, as alice
  no(401, "unauthorized", once("GET", "/info", client={"user": None}), "without login")

Before a story begins there are the users alice, bob and op, an administrator, whose
passwords are secret, other and boss, and an aspera.conf that enables the forward proxy
over HTTP and HTTPS.
"""
from story import *
enter("lease_scene.sh")
import base64, fcntl, http.client, json, os, re, socket, ssl, subprocess
from lease import done, make, ok, same, until

NODE = PREFIX + "/bin/asperanoded"
PID_FILE = "/run/sallyport/asperanoded.pid"
READY_FILE = "/run/sallyport/asperanoded.ready"
CERT = PREFIX + "/etc/aspera_server_cert.pem"
KEY = PREFIX + "/etc/aspera_server_key.pem"
PROXY4, PROXY6 = "203.0.113.1", "2001:db8:2::1"
SALT = "$y$j9T$abcdefghijklmnop$"
LOGIN = b"Authorization: Basic " + base64.b64encode(b"alice:secret")
TO_SERVER = {"destination": "198.51.100.50"}


# The story's own networks are among those that no lease leads to by itself.
EVERYWHERE = "<allowed_destinations>0.0.0.0/0 ::/0</allowed_destinations>"


def configure(proxy="<enabled>true</enabled>", server="<enable_http>true</enable_http>", allowed=EVERYWHERE):
    proxy = proxy if "<allowed_destinations>" in proxy else proxy + allowed
    write(CONF, f'<CONF version="2"><server>{server}<proxy>{proxy}</proxy></server></CONF>\n')


def crypt(password):
    """crypt(3) of the system; Python's own went with its version 3.13."""
    return subprocess.run(["perl", "-e", "print crypt($ARGV[0], $ARGV[1])", password, SALT], check=True, capture_output=True, text=True).stdout


def users(**passwords):
    lines = [f"{name}:{crypt(password)}:nobody:{'admin' if name == 'op' else ''}\n" for name, password in passwords.items()]
    write(NODE_USERS, "".join(lines), 0o640, NODE_UID)


def three_users():
    users(alice="secret", bob="other", op="boss")


def own_lines(since=0):
    return [line.split("]: ", 1)[1] for line in log()[since:].splitlines() if " asperanoded[" in line]


# AddressSanitizer, if it is there, keeps little of what was freed: memory is measured.
SANE = {**os.environ, "ASAN_OPTIONS": "quarantine_size_mb=1:thread_local_quarantine_size_kb=16"}


def is_ready(pid):
    """It holds the lock of a file that says so."""
    if not os.path.exists(READY_FILE) or open(PID_FILE).read() != f"{pid}\n":
        return False
    with open(READY_FILE) as f:
        try:
            fcntl.flock(f, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


SOCKET = "/run/sallyport/lease.sock"
door = None  # asp-lease where it waits for callers


def open_door():
    global door
    if door is None or door.poll() is not None:
        door = subprocess.Popen([PREFIX + "/libexec/asp-lease"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        assert until(lambda: is_open() or door.poll() is not None) and door.poll() is None, f"asp-lease does not start: {log()}"


def is_open():
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        return os.path.exists(SOCKET) and s.connect_ex(SOCKET) == 0


def close_door():
    door.terminate()
    return door.wait(timeout=10)


def helpers():
    """The asp-lease that serve somebody."""
    return [pid for pid in map(int, run("pgrep", "-x", "asp-lease")[1].split()) if door is None or pid != door.pid]


def start():
    open_door()
    node = subprocess.Popen([NODE], env=SANE, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    assert until(lambda: node.poll() is not None or is_ready(node.pid)), "it does not start"
    assert node.poll() is None, f"it ended with {node.returncode}: {log()}"
    return node


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


def count():
    """How many leases alice has."""
    return len(once("GET", "/proxy/leases")[1]["leases"])


os.chmod("/dev/log", 0o666)
three_users()
configure()
