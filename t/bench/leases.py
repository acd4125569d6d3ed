"""leases.py: how long the node API takes to open a lease of the forward proxy."""
import base64
import http.client
import json
import os
import subprocess
import sys
import threading
import time

from machine import DMZ, INSIDE, PREFIX, joined, running, settled
from report import Row, median

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


def client(times, start):
    """Opens leases and gives them back, one after the other, from inside1."""
    connection = http.client.HTTPConnection(ADDRESS, 9091, timeout=30)
    start.wait()
    for n in range(WARM + EACH):
        began = time.monotonic()
        status, lease = ask(connection, "POST", "/proxy/leases", {"destination": os.environ["OUTSIDE"], "ssh_port": 22})
        took = time.monotonic() - began
        assert status == 201, (status, lease)
        if n >= WARM:
            times.append(took * 1000)
        status, _ = ask(connection, "DELETE", f"/proxy/leases/{lease['id']}")
        assert status == 204, status


def work():
    """Run on inside1: prints the times, in milliseconds."""
    times, start = [], threading.Barrier(CLIENTS)
    threads = [threading.Thread(target=client, args=(times, start)) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(times))


def opening():
    settled()
    subprocess.run(DMZ.argv(f"{PREFIX}/bin/asnodeadmin", "-a", "-u", USER, "-x", "bear", "-p", "-"),
                   input=PASSWORD + "\n", text=True, check=True, stdout=subprocess.DEVNULL)
    with running(DMZ.argv(f"{PREFIX}/libexec/asp-lease"), stdin=subprocess.DEVNULL), running(DMZ.argv("sh", "-c", f"until [ -S /run/sallyport/lease.sock ]; do sleep 0.1; done; exec {PREFIX}/bin/asperanoded"), stdin=subprocess.DEVNULL) as service:
        end = time.monotonic() + 20
        while ":2383" not in DMZ.run("cat", "/proc/net/tcp", "/proc/net/tcp6").stdout:  # 9091
            assert service.poll() is None and time.monotonic() < end, "asperanoded does not listen"
            time.sleep(0.1)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        asked = subprocess.run(joined(INSIDE, "python3", __file__), env=environment, check=True, stdout=subprocess.PIPE, text=True)
    times = sorted(json.loads(asked.stdout))
    row = Row(f"opening a lease, {CLIENTS} clients at once, p99", "ms", times[len(times) * 99 // 100])
    row.notes.append(f"median {median(times):.1f}, longest {times[-1]:.1f} ms, of {len(times)}; over HTTP, connections kept")
    return row.below(50, "p99")


if __name__ == "__main__":
    work()
