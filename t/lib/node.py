#!/usr/bin/env python3
"""node.py: a client of the node API, for tests.

  node.py [-u USER:PASSWORD] [-f FINGERPRINT] BASE call METHOD PATH [JSON]
  node.py [-u …] BASE try < requests
  node.py [-u …] BASE load CLIENTS LEASES DESTINATION
  node.py BASE siege
  node.py [-u …] BASE polite COUNT DESTINATION

BASE is http://ADDRESS:PORT or https://…. -f: of the certificate, sha256 in hex.

call prints the status, and on the next line the body.
try asks for a lease with each line of stdin, a destination or a JSON object, and
prints for each: status, code of the error or id of the lease, the line.
load opens LEASES leases by CLIENTS clients at a time, each over one connection
that is kept; when all are open, renews, shows and closes them. Prints one line of
JSON: opened, renewed, shown, closed, ports (how many different ones), and
unexpected, the first answers that were none of those.
siege keeps opening connections that are slow, huge, half closed, garbage, silent
or have a header of 1 MB; says "under siege" once there were 100, and goes on until
it is killed.
polite opens and closes COUNT leases, each over a connection of its own; prints one
line of JSON: served, longest_ms, unexpected.
"""
import argparse
import base64
import hashlib
import http.client
import json
import socket
import ssl
import sys
import threading
import time
import urllib.parse


class Node:
    """One connection, kept; JSON in and out."""

    def __init__(self, options):
        url = urllib.parse.urlsplit(options.base)
        self.headers = {}
        if options.user:
            self.headers["Authorization"] = "Basic " + base64.b64encode(options.user.encode()).decode()
        if url.scheme == "https":
            context = ssl._create_unverified_context()
            self.http = http.client.HTTPSConnection(url.hostname, url.port, timeout=20, context=context)
            self.http.connect()
            found = hashlib.sha256(self.http.sock.getpeercert(True)).hexdigest()
            if options.fingerprint and found != options.fingerprint.replace(":", "").lower():
                sys.exit(f"the certificate has fingerprint {found}")
        else:
            self.http = http.client.HTTPConnection(url.hostname, url.port, timeout=20)

    def ask(self, method, path, body=None):
        """(status, body as text)."""
        headers = dict(self.headers)
        if body is not None:
            headers["Content-Type"] = "application/json"
        self.http.request(method, path, body=body and body.encode(), headers=headers)
        answer = self.http.getresponse()
        return answer.status, answer.read().decode(errors="replace")

    def lease(self, destination):
        return self.ask("POST", "/proxy/leases", json.dumps({"destination": destination}))


def call(options):
    status, body = Node(options).ask(options.method, options.path, options.body)
    print(status)
    print(body)


def attempt(options):
    node = Node(options)
    for line in sys.stdin.read().splitlines():
        body = line if line.startswith("{") else json.dumps({"destination": line})
        status, text = node.ask("POST", "/proxy/leases", body)
        try:
            found = json.loads(text)
            said = found["id"] if status == 201 else found["error"]["code"]
        except (ValueError, KeyError, TypeError):
            said = "?"
        print(status, said, line, flush=True)


def load(options):
    lock = threading.Lock()
    all_open = threading.Barrier(options.clients, timeout=60)
    report = {"opened": 0, "renewed": 0, "shown": 0, "closed": 0, "ports": 0, "unexpected": []}
    ports = set()

    def expect(wanted, what, got):
        with lock:
            if got[0] == wanted:
                report[what] += 1
            elif len(report["unexpected"]) < 5:
                report["unexpected"].append([what, got[0], got[1][:200]])
        return got[0] == wanted

    def client(count):
        node = Node(options)
        paths = []
        for _ in range(count):
            got = node.lease(options.destination)
            if expect(201, "opened", got):
                lease = json.loads(got[1])
                paths.append("/proxy/leases/" + lease["id"])
                with lock:
                    ports.add(lease["ssh_port"])
        all_open.wait()
        for path in paths:
            expect(200, "renewed", node.ask("PUT", path))
        for path in paths:
            expect(200, "shown", node.ask("GET", path))
        for path in paths:
            expect(204, "closed", node.ask("DELETE", path))

    def guarded(count):
        try:
            client(count)
        except Exception as error:  # told, whatever it is
            with lock:
                report["unexpected"].append(repr(error))
            all_open.abort()

    threads = [threading.Thread(target=guarded, args=(options.leases // options.clients,))
               for _ in range(options.clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report["ports"] = len(ports)
    print(json.dumps(report))


def siege(options):
    url = urllib.parse.urlsplit(options.base)
    made = {}
    held = []

    def plug():
        sock = socket.create_connection((url.hostname, url.port), timeout=5)
        held.append(sock)
        return sock

    def drain(sock):
        """Until the other end closes, at most 64 KiB."""
        taken = 0
        while taken < 65536 and (data := sock.recv(65536)):
            taken += len(data)

    def slow():
        sock = plug()
        for byte in b"POST /proxy/leases HTTP/1.1\r\nHost: proxy\r\nX-Long: " + b"a" * 4000:
            sock.send(bytes([byte]))
            time.sleep(0.05)

    def huge():
        sock = plug()
        sock.sendall(b"POST /proxy/leases HTTP/1.1\r\nHost: proxy\r\nContent-Length: 4000000000\r\n\r\n")
        for _ in range(2000):
            sock.sendall(b"x" * 65536)

    def half_closed():
        sock = plug()
        sock.sendall(b"POST /proxy/leases HTTP/1.1\r\nHost: proxy\r\nContent-Length: 50\r\n\r\n{\"desti")
        sock.shutdown(socket.SHUT_WR)
        drain(sock)

    def garbage():
        plug().sendall(bytes(range(256)) * 64)

    def silent():
        plug()

    def long_header():
        sock = plug()
        sock.sendall(b"GET /ping HTTP/1.1\r\nX-Long: " + b"a" * 1000000 + b"\r\n\r\n")
        drain(sock)

    def keep_on(kind):
        while True:
            try:
                kind()
            except OSError:
                pass
            time.sleep(0.02)
            made[kind.__name__] = made.get(kind.__name__, 0) + 1

    for kind in slow, huge, half_closed, garbage, silent, long_header:
        for _ in range(4):
            threading.Thread(target=keep_on, args=(kind,), daemon=True).start()
    while len(held) < 100:
        time.sleep(0.02)
    print("under siege", flush=True)
    # Not stdin's end: what was started in the background has none.
    while True:
        time.sleep(1)


def polite(options):
    report = {"served": 0, "longest_ms": 0, "unexpected": []}
    for _ in range(options.count):
        began = time.monotonic()
        try:
            node = Node(options)  # a new connection each time: the door is to stay open, too
            status, body = node.lease(options.destination)
            closed = node.ask("DELETE", "/proxy/leases/" + json.loads(body)["id"])[0] if status == 201 else None
            if (status, closed) == (201, 204):
                report["served"] += 1
            else:
                report["unexpected"].append([status, closed, body[:200]])
        except Exception as error:  # told, whatever it is
            report["unexpected"].append(repr(error))
        report["longest_ms"] = max(report["longest_ms"], round((time.monotonic() - began) * 1000))
    print(json.dumps(report))


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("-u", dest="user")
    parser.add_argument("-f", dest="fingerprint")
    parser.add_argument("base")
    what = parser.add_subparsers(dest="what", required=True)
    one = what.add_parser("call")
    one.add_argument("method")
    one.add_argument("path")
    one.add_argument("body", nargs="?")
    what.add_parser("try")
    many = what.add_parser("load")
    many.add_argument("clients", type=int)
    many.add_argument("leases", type=int)
    many.add_argument("destination")
    what.add_parser("siege")
    some = what.add_parser("polite")
    some.add_argument("count", type=int)
    some.add_argument("destination")
    options = parser.parse_args()
    {"call": call, "try": attempt, "load": load, "siege": siege, "polite": polite}[options.what](options)


if __name__ == "__main__":
    main()
