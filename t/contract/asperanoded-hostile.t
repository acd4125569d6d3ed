#!/usr/bin/env python3
"""asperanoded: TLS, and what comes from outside that is not a request."""
import os, socket, sys
sys.path.insert(0, sys.path[0] + "/../lib")
from node_story import *

start()

# --- TLS -----------------------------------------------------------------------------

for version, wanted in (("-tls1", False), ("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)):
    out = run("ip", "netns", "exec", "inner", "openssl", "s_client", "-connect", PROXY4 + ":9092", version, "-cipher", "ALL:@SECLEVEL=0")
    ok(("Cipher is (NONE)" not in out[1] and "New, TLS" in out[1]) == wanted, f"openssl s_client {version}: {'taken' if wanted else 'refused'}") or print("# " + out[1] + out[2])
taken = set()
for suite in run("openssl", "ciphers", "-tls1_2", "-s", "ALL:COMPLEMENTOFALL:@SECLEVEL=0")[1].strip().split(":"):
    out = run("ip", "netns", "exec", "inner", "openssl", "s_client", "-connect", PROXY4 + ":9092", "-tls1_2", "-cipher", suite + ":@SECLEVEL=0")[1]
    if "Cipher is (NONE)" not in out and "New, TLS" in out:
        taken.add(suite)
ok(taken and all(suite.startswith("ECDHE-") and ("GCM" in suite or "CHACHA20" in suite) for suite in taken), "of TLS 1.2, only suites with forward secrecy and AEAD") or print(f"# {taken}")
out = run("ip", "netns", "exec", "inner", "curl", "-sS", "--cacert", CERT, f"https://{PROXY4}:9092/ping")
same(out[1], '{"status":"ok"}\n', "curl trusts its certificate for its address")
names = run("openssl", "x509", "-in", CERT, "-noout", "-ext", "subjectAltName")[1]
ok(all(word in names for word in (socket.gethostname(), PROXY4, "2001:DB8:2:0:0:0:0:1")), "which has the host's name and addresses")

# --- what is not a request ---------------------------------------------------------------


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

# --- what two readers could understand in two ways -------------------------------------------

BODY = b'{"destination":"198.51.100.50"}'
HEAD = b"POST /proxy/leases HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + LOGIN + b"\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
LENGTH = b"Content-Length: 31\r\n"
ONE_CHUNK = b"1f\r\n" + BODY + b"\r\n0\r\n\r\n"


def ping(line=b"GET /ping HTTP/1.1", headers=b"Host: x\r\n"):
    return line + b"\r\n" + headers + b"\r\n"


def answered(data, port=9091, patience=5):
    """The statuses of all answers, until the other end closes; the client does not. Some refusals of
    libmicrohttpd's own are a closed connection, and some have their status line twice."""
    s = connect("inner", PROXY4, port)
    s.settimeout(patience)
    got = b""
    try:
        if port == 9092:
            s = ssl.create_default_context(cafile=CERT).wrap_socket(s, server_hostname=PROXY4)
        s.sendall(data)
        while part := s.recv(65536):
            got += part
    except TimeoutError:
        return "it stays open after " + repr(re.findall(rb"HTTP/1\.[01] (\d+)", got))
    except OSError:
        pass
    finally:
        s.close()
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d+)", got)]


ambiguous = {
    "a length and chunks": HEAD + LENGTH + CHUNKED + b"\r\n" + ONE_CHUNK,
    "chunks and a length": HEAD + CHUNKED + LENGTH + b"\r\n" + ONE_CHUNK,
    "chunks and a length of 0": HEAD + CHUNKED + b"Content-Length: 0\r\n\r\n" + ONE_CHUNK,
    "two lengths": HEAD + LENGTH + b"Content-Length: 30\r\n\r\n" + BODY,
    "two lengths that are the same": HEAD + LENGTH + LENGTH + b"\r\n" + BODY,
    "a length with a comma": HEAD + b"Content-Length: 31, 31\r\n\r\n" + BODY,
    "a length with a sign": HEAD + b"Content-Length: +31\r\n\r\n" + BODY,
    "a negative length": HEAD + b"Content-Length: -1\r\n\r\n" + BODY,
    "a hexadecimal length": HEAD + b"Content-Length: 0x1f\r\n\r\n" + BODY,
    "an empty length": HEAD + b"Content-Length:\r\n\r\n" + BODY,
    "a length with words": HEAD + b"Content-Length: 31 bytes\r\n\r\n" + BODY,
    "a length in other digits": HEAD + "Content-Length: \u0663\u0661\r\n\r\n".encode() + BODY,
    "chunks twice": HEAD + CHUNKED + CHUNKED + b"\r\n" + ONE_CHUNK,
    "chunks of chunks": HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n" + ONE_CHUNK,
    "gzip in chunks": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + ONE_CHUNK,
    "chunks that are not the last": HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n" + ONE_CHUNK,
    "an unknown encoding": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n" + ONE_CHUNK,
    "an unknown encoding and a length": HEAD + b"Transfer-Encoding: identity\r\n" + LENGTH + b"\r\n" + BODY,
    "an empty encoding": HEAD + b"Transfer-Encoding:\r\n" + LENGTH + b"\r\n" + BODY,
    "chunks in HTTP/1.0": HEAD.replace(b"HTTP/1.1", b"HTTP/1.0") + CHUNKED + b"\r\n" + ONE_CHUNK,
    "two hosts": ping(headers=b"Host: x\r\nHost: y\r\n"),
    "two hosts that are the same": ping(headers=b"Host: x\r\nhost: x\r\n"),
    "no host": ping(headers=b""),
    "a host with a path": ping(headers=b"Host: x/y\r\n"),
    "a host with a user": ping(headers=b"Host: a@x\r\n"),
    "a host of two words": ping(headers=b"Host: x y\r\n"),
    "a list of hosts": ping(headers=b"Host: x, y\r\n"),
    "a target of another host": ping(b"GET http://other.example.com/ping HTTP/1.1"),
    "a target with a user": ping(b"GET http://x@y/ping HTTP/1.1"),
    "a target without a slash": ping(b"GET ping HTTP/1.1"),
    "a target that is a host": ping(b"CONNECT other.example.com:22 HTTP/1.1"),
    "a fragment": ping(b"GET /ping#x HTTP/1.1"),
    "NUL in the path": ping(b"GET /ping\0 HTTP/1.1"),
    "NUL and more in the path": ping(b"GET /ping\0/../info HTTP/1.1"),
    "a query behind a NUL": ping(b"GET /ping\0?x=1 HTTP/1.1"),
    "a tab behind the path": ping(b"GET /ping\tHTTP/1.1"),
    "a tab in the path": ping(b"GET /pi\tng HTTP/1.1"),
    "a blank in the path": ping(b"GET /ping x HTTP/1.1"),
    "an escape character in the path": ping(b"GET /\x1b[2J HTTP/1.1"),
    "DEL in the path": ping(b"GET /ping\x7f HTTP/1.1"),
    "CR in the path": ping(b"GET /ping\r HTTP/1.1"),
    "bytes above 127 in the path": ping("GET /p\u00efng HTTP/1.1".encode()),
    "a backslash in the path": ping(b"GET /\\ping HTTP/1.1"),
    "NUL in the method": ping(b"GET\0 /ping HTTP/1.1"),
    "a method that is not a word": ping(b"G@T /ping HTTP/1.1"),
    "a header as the first line": ping(b"Host: x"),
    "a version of other digits": ping(b"GET /ping HTTP/1.10"),
    "a version that is not there yet": ping(b"GET /ping HTTP/1.2"),
    "a version in small letters": ping(b"GET /ping http/1.1"),
    "no version": b"GET /ping\r\n\r\n",
    "a folded header": ping(headers=b"Host: x\r\nX: a\r\n b\r\n"),
    "a folded length": HEAD + b"Content-Length: 3\r\n 1\r\n\r\n" + BODY,
    "a header that is folded to nothing": ping(headers=b"Host: x\r\nX:\r\n\tb\r\n"),
    "a first header that is folded": ping(headers=b" X: a\r\nHost: x\r\n"),
    "a blank before the colon": ping(headers=b"Host : x\r\n"),
    "a tab before the colon": HEAD + b"Content-Length\t: 31\r\n\r\n" + BODY,
    "a blank before the colon of chunks": HEAD + b"Transfer-Encoding : chunked\r\n" + LENGTH + b"\r\n" + BODY,
    "a header without a colon": ping(headers=b"Host: x\r\nX\r\n"),
    "a header without a name": ping(headers=b"Host: x\r\n: a\r\n"),
    "NUL in a header": ping(headers=b"Host: x\r\nX: a\0b\r\n"),
    "NUL in the login": ping(b"GET /info HTTP/1.1", b"Host: x\r\n" + LOGIN + b"\0x\r\n"),
    "NUL in a name": ping(headers=b"Host: x\r\nX\0Y: a\r\n"),
    "NULs where blanks were saved": ping(headers=b"Host:x\r\nY:b\r\nX:a\0b\r\n"),
    "a control character in a header": ping(headers=b"Host: x\r\nX: a\x01b\r\n"),
    "CR in a header": ping(headers=b"Host: x\r\nX: a\rY: b\r\n"),
    "lines that end with LF": b"GET /ping HTTP/1.1\nHost: x\n\n",
    "one line that ends with LF": ping(headers=b"Host: x\r\nX: a\nY: b\r\n"),
}
def refused(got, name):
    ok(got in ([], [400], [400, 400]), name) or print(f"# {got}")


for name, data in ambiguous.items():
    refused(answered(data), name)
same(count(), 0, "none of them got a lease")
for name in "a length and chunks", "two lengths", "no host", "NUL in the path":
    refused(answered(ambiguous[name], 9092), name + ", over TLS")
    refused(answered(ambiguous[name] + ping()), name + ", and what follows is not read")

for name, data in {
    "a chunk of a negative size": b"-1\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk with a sign": b"+1f\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk of 0x1f": b"0x1f\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk whose size overflows": b"1000000000000001f\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk without a size": b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk that goes on": b"1f\r\n" + BODY + b"x\r\n0\r\n\r\n",
    "a chunk with 64 KiB of extensions": b"1f;" + b"x" * 65536 + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "64 KiB of trailers": b"1f\r\n" + BODY + b"\r\n0\r\n" + b"A: b\r\n" * 11000 + b"\r\n",
}.items():
    # Newer releases of libmicrohttpd wait for the rest of what is too large: until the request's time is over.
    got = answered(HEAD + CHUNKED + b"\r\n" + data, patience=60)
    ok(isinstance(got, list) and all(status in (400, 413, 431, 500) for status in got), f"{name}: refused") or print(f"# {got}")
same(count(), 0, "no lease either")

CLOSE = b"Connection: close\r\n"
for name, data, wanted in (
    ("chunks alone", HEAD + CLOSE + CHUNKED + b"\r\n" + ONE_CHUNK, 201),
    ("a length alone", HEAD + CLOSE + LENGTH + b"\r\n" + BODY, 201),
    ("HTTP/1.0 without a host", b"GET /ping HTTP/1.0\r\n\r\n", 200),
    ("a host with a port", ping(headers=CLOSE + b"Host: [2001:db8::1]:9091\r\n"), 200),
    ("a host with an underscore", ping(headers=CLOSE + b"Host: a_b.example.com:9091\r\n"), 200),
    ("headers without and with many blanks", ping(headers=CLOSE + b"Host:x\r\nX: \t a b \t \r\nY:\r\n"), 200),
    ("a header in Latin-1", ping(headers=CLOSE + b"Host: x\r\nX: caf\xe9\r\n"), 200),
    ("a method that is unknown", ping(b"BREW /ping HTTP/1.1", CLOSE + b"Host: x\r\n"), 405),
    ("a path that is unknown", ping(b"GET /%00 HTTP/1.1", CLOSE + b"Host: x\r\n"), 404),
):
    same(answered(data), [wanted], f"{name}: {wanted}")
for lease in once("GET", "/proxy/leases")[1]["leases"]:
    once("DELETE", "/proxy/leases/" + lease["id"])


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

# A host has as many addresses as it likes, of its own network of 64 bits.
for i in range(5):
    run("ip", "-n", "inner2", "address", "add", f"2001:db8:3::5:{i}/64", "dev", "eth0", "nodad")
held = [connect("inner2", "2001:db8:3::1", 9091, source=f"2001:db8:3::5:{i % 5}") for i in range(260)]
ok(until(lambda: sum(map(is_open, held)) <= 200, 5), "260 of five addresses of one network: the same") or print(f"# {sum(map(is_open, held))}")
same(once("GET", "/ping", client={"address": PROXY6})[0], 200, "and other networks get theirs")
for s in held:
    s.close()


def let_in():
    try:
        return once("GET", "/ping", client={"namespace": "inner2", "address": "2001:db8:3::1"})[0] == 200
    except OSError:
        return False


ok(until(let_in), "once they are gone, that network, too")

done()
