#!/usr/bin/env python3
"""asperanoded: the API: what is asked, what is answered, and that it is described so."""
import re, sys
sys.path.insert(0, sys.path[0] + "/../lib")
from node_story import *

configure("<enabled>true</enabled><denied_destinations>192.0.2.0/24, denied.example.com</denied_destinations>")
start()

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
no(403, "forbidden", once("POST", "/proxy/leases", TO_SERVER, {"namespace": None}), "from the proxy itself")
no(400, "bad_request", once("POST", "/proxy/leases", {"destination": "198.51.100.50", "user": "op"}), "an unknown member")
no(400, "bad_request", once("GET", "/proxy/leases?user=op"), "query parameters")
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

# --- the description says what the code says ----------------------------------------------

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

done()
