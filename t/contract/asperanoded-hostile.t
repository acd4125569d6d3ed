#!/usr/bin/env python3
"""asperanoded: TLS, and what comes from outside that is no request."""
import os, socket, sys
sys.path.insert(0, sys.path[0] + "/../lib")
from node_story import *

start()

# --- TLS -----------------------------------------------------------------------------

for version, wanted in (("-tls1", False), ("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)):
    out = run("ip", "netns", "exec", "inner", "openssl", "s_client", "-connect", PROXY4 + ":9092", version, "-cipher", "ALL:@SECLEVEL=0")
    ok(("Cipher is (NONE)" not in out[1] and "New, TLS" in out[1]) == wanted, f"openssl s_client {version}: {'taken' if wanted else 'refused'}") or print("# " + out[1] + out[2])
out = run("ip", "netns", "exec", "inner", "curl", "-sS", "--cacert", CERT, f"https://{PROXY4}:9092/ping")
same(out[1], '{"status":"ok"}\n', "curl trusts its certificate for its address")
names = run("openssl", "x509", "-in", CERT, "-noout", "-ext", "subjectAltName")[1]
ok(all(word in names for word in (socket.gethostname(), PROXY4, "2001:DB8:2:0:0:0:0:1")), "which has the host's name and addresses")

# --- what is no request ---------------------------------------------------------------


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


before = count()
got = raw(9091, b"POST /proxy/leases HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n" + LOGIN + b"\r\nContent-Length: 31\r\n\r\n" + b'{"destination":"198.51.100.50"}', half=True)
ok(b" 201 Created" in got or until(lambda: count() == before), "who shuts his half of the connection is answered, or has no lease")
same(once("GET", "/ping")[0], 200, "others are served after all that")
got = raw(9091, b"GET /info HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + LOGIN + b"\r\n" + LOGIN + b"\r\n\r\n")
ok(b" 401 " in got, "two logins in one request are none")

# --- one address may have many connections, not all of them --------------------------------

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

done()
