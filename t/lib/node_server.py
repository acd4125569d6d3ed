#!/usr/bin/env python3
"""node_server.py DIRECTORY SSH_HOST SSH_PORT [CERTIFICATE KEY]: the far side of
the node API for asp-forward's tests, with one user, alice, whose password is
sesame:9.

Writes its port to DIRECTORY/port, and each request to DIRECTORY/log: method,
path, "password" (the right one), "wrong" or "none", body. What it answers hangs
on the first label of the destination: `renew-1.example.com` is to be renewed
each second; `huge.example.com` gets an answer without end. A lease that was made
for `lost-…` is gone when it is to be renewed, and so on: see BEHAVIOUR.
"""
import base64
import http.server
import json
import os
import ssl
import sys
import time
import uuid

directory, ssh_host, ssh_port = sys.argv[1], sys.argv[2], int(sys.argv[3])
RIGHT = "Basic " + base64.b64encode(b"alice:sesame:9").decode()
leases = {}  # id -> first label of the destination
failures = {}  # id -> renewals that failed


def lease(identity, label):
    renew = int(label.split("-")[1]) if "-" in label else 0
    made = {"id": identity, "host": ssh_host, "ssh_port": ssh_port, "udp_port": 5000, "renew_seconds": renew,
            "expires": "2026-11-22T15:07:05Z" if renew else None, "destination": "x", "address": "198.51.100.50"}
    return made | BEHAVIOUR.get(label, {})


BEHAVIOUR = {  # members of the lease that are other than they should be
    "range": {"udp_port": "5000:5009"},
    "port0": {"ssh_port": 0},
    "port70000": {"ssh_port": 70000},
    "portword": {"ssh_port": "22"},
    "portfloat": {"ssh_port": 22.5},
    "porthuge": {"ssh_port": 18446744073709551615},
    "udp0": {"udp_port": 0},
    "udpword": {"udp_port": "5000;x"},
    "udplist": {"udp_port": [5000]},
    "hostcontrol": {"host": "192.0.2.1\x1b[31m\n"},
    "hostoption": {"host": "-oProxyCommand=touch pwned"},
    "hostname": {"host": "proxy.example.com"},
    "hostnull": {"host": None},
    "idslash": {"id": "../../etc/passwd"},
    "idnumber": {"id": 7},
    "renewminus": {"renew_seconds": -1},
    "renewhuge": {"renew_seconds": 10 ** 12},
    "expirescontrol": {"expires": "\x1b]0;evil\x07"},
    "v6": {"host": "2001:db8::1"},
    "closedport": {"ssh_port": 1},
}
REFUSALS = {  # label: HTTP status, code, sentence
    "denied": (403, "destination_denied", "Port 25 of server.example.com is not permitted."),
    "nowhere": (422, "unresolvable", "No such name: nowhere.example.com."),
    "full": (503, "ports_exhausted", "All ports are taken; try again later."),
    "many": (429, "too_many_leases", "You have 100 leases, which is the limit."),
    "broken": (500, "internal", "Something went wrong."),
    "forged": (403, "x", "no\x1b[31m\nasp-forward: all is well"),
}
RAW = {  # label: bytes in place of an answer
    "redirect": b"HTTP/1.1 307 x\r\nLocation: http://127.0.0.1:%d/elsewhere\r\nContent-Length: 0\r\n\r\n",
    "nojson": b"HTTP/1.1 201 x\r\nContent-Length: 5\r\n\r\nhello",
    "array": b"HTTP/1.1 201 x\r\nContent-Length: 2\r\n\r\n[]",
    "deep": b"HTTP/1.1 201 x\r\nContent-Length: 60000\r\n\r\n" + b"[" * 60000,
    "nohttp": b"SSH-2.0-OpenSSH_9.2p1\r\n",
    "nothing": b"",
    "page": b"HTTP/1.1 404 x\r\nContent-Length: 6\r\n\r\n<html>",
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=None):
        text = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="sallyport"')
        self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def refuse(self, status, code, message):
        self.answer(status, {"error": {"code": code, "message": message}})

    def note(self):
        given = self.headers.get("Authorization")
        verdict = "none" if given is None else "password" if given == RIGHT else "wrong"
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        with open(directory + "/log", "a") as log:
            log.write(f"{self.command} {self.path} {verdict} {body}\n")
        if verdict == "password":
            return body
        self.refuse(401, "unauthorized", "User and password, please.")
        return None

    def do_POST(self):
        body = self.note()
        if body is None:
            return
        asked = json.loads(body)
        label = asked["destination"].split(".")[0]
        if label in REFUSALS:
            return self.refuse(*REFUSALS[label])
        if label in RAW:
            raw = RAW[label]
            self.wfile.write(raw % self.server.server_port if b"%d" in raw else raw)
        elif label == "huge":
            self.endless(b"HTTP/1.1 201 x\r\n\r\n", b"x" * 8192)
        elif label == "head":
            self.endless(b"HTTP/1.1 201 x\r\n", b"X-Filler: " + b"x" * 8192 + b"\r\n")
        elif label == "slow":
            self.endless(b"HTTP/1.1 201 x\r\n\r\n", b"x", 0.1)
        else:
            if label == "late":  # a moment in which the client may be told to end
                open(directory + "/asked", "w").close()
                while os.path.exists(directory + "/asked"):
                    time.sleep(0.02)
            identity = str(uuid.uuid4())
            leases[identity] = label
            return self.answer(201, lease(identity, label))
        self.close_connection = True

    def endless(self, start, more, pause=0.0):
        try:
            self.wfile.write(start)
            while True:
                self.wfile.write(more)
                time.sleep(pause)
        except OSError:
            self.close_connection = True

    def known(self):
        identity = self.path.removeprefix("/proxy/leases/")
        if identity in leases:
            return identity
        self.refuse(404, "not_found", "There is no such lease.")
        return None

    def do_PUT(self):
        if self.note() is None or not (identity := self.known()):
            return
        label = leases[identity]
        if label.startswith("lost"):
            del leases[identity]
            return self.refuse(404, "not_found", "There is no such lease.")
        if label.startswith("barred"):
            return self.refuse(403, "forbidden", "You are not welcome any more.")
        if label.startswith("shaky") and failures.setdefault(identity, 0) < 2:
            failures[identity] += 1
            return self.refuse(503, "busy", "One moment.")
        if label.startswith("swapped"):
            return self.answer(200, lease(str(uuid.uuid4()), label))
        self.answer(200, lease(identity, label))

    def do_DELETE(self):
        if self.note() is None or not (identity := self.known()):
            return
        if leases[identity] == "sticky":
            return self.refuse(500, "internal", "Something went wrong.")
        del leases[identity]
        self.answer(204)

    def do_GET(self):
        self.note()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def finish_request(self, request, address):
        if len(sys.argv) > 4:  # the handshake, in the connection's own thread
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(sys.argv[4], sys.argv[5])
            try:
                request = context.wrap_socket(request, server_side=True)
            except OSError:
                return
        try:
            super().finish_request(request, address)
        except OSError:
            pass
        if len(sys.argv) > 4:
            try:
                request.unwrap()
            except OSError:
                pass

    def handle_error(self, *_):
        pass


open(directory + "/log", "w").close()
server = Server(("127.0.0.1", 0), Handler)
with open(directory + "/port.new", "w") as file:
    file.write(str(server.server_port))
os.rename(directory + "/port.new", directory + "/port")
server.serve_forever()
