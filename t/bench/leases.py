"""leases.py: how long the node API takes to open a lease of the forward proxy."""
import base64
import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time

from machine import DMZ, INSIDE, PREFIX, joined, running, settled
from report import Row, median
from sessions import wait_until

CLIENTS = 10
EACH = 60       # leases of each client
WARM = 3        # before that
ADDRESS = os.environ["DMZ_LAN"]
USER, PASSWORD = "bench", "bench-secret"


def ask(connection, method, path, body=None):
    token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    headers = {"Authorization": f"Basic {token}"}
    if body:
        headers["Content-Type"] = "application/json"
    connection.request(method, path, json.dumps(body) if body else None, headers)
    answer = connection.getresponse()
    text = answer.read()
    return answer.status, json.loads(text) if text else None


def client(times, start, each):
    """Opens leases and gives them back, one after the other, from inside1."""
    connection = http.client.HTTPConnection(ADDRESS, 9091, timeout=30)
    start.wait()
    for n in range(WARM + each):
        began = time.monotonic()
        status, lease = ask(connection, "POST", "/proxy/leases", {"destination": os.environ["OUTSIDE"], "ssh_port": 22})
        took = time.monotonic() - began
        assert status == 201, (status, lease)
        if n >= WARM:
            times.append(took * 1000)
        status, _ = ask(connection, "DELETE", f"/proxy/leases/{lease['id']}")
        assert status == 204, status


def work(clients=CLIENTS, each=EACH):
    """Run on an inside host: prints the times, in milliseconds."""
    times, start = [], threading.Barrier(clients)
    threads = [threading.Thread(target=client, args=(times, start, each)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(times))


@contextlib.contextmanager
def node_service():
    """asperanoded and asp-lease on dmz, with the user USER."""
    subprocess.run(DMZ.argv(f"{PREFIX}/bin/asnodeadmin", "-a", "-u", USER, "-x", "bear", "-p", "-"),
                   input=PASSWORD + "\n", text=True, check=True, stdout=subprocess.DEVNULL)
    door = f"{DMZ.root}/run/sallyport/lease.sock"
    with running(DMZ.argv(f"{PREFIX}/libexec/asp-lease"), stdin=subprocess.DEVNULL):
        assert wait_until(20, lambda: os.path.exists(door)), "asp-lease does not listen"
        with running(DMZ.argv(f"{PREFIX}/bin/asperanoded"), stdin=subprocess.DEVNULL):
            tables = ("cat", "/proc/net/tcp", "/proc/net/tcp6")
            assert wait_until(20, lambda: ":2383" in DMZ.run(*tables).stdout), "asperanoded does not listen"  # 9091
            yield


def opened_by(host, *arguments):
    """What `work` prints there: milliseconds, sorted."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    asked = subprocess.run(joined(host, "python3", __file__, *arguments), env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return sorted(json.loads(asked.stdout))


def opening():
    settled()
    with node_service():
        times = opened_by(INSIDE)
    row = Row(f"opening a lease, {CLIENTS} clients at once, p99", "ms", times[len(times) * 99 // 100])
    row.notes.append(f"median {median(times):.1f}, longest {times[-1]:.1f} ms, of {len(times)}; over HTTP, connections kept")
    return row.below(50, "p99")


if __name__ == "__main__":
    work(*map(int, sys.argv[1:]))
