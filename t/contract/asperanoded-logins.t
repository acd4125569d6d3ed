#!/usr/bin/env python3
"""asperanoded: whom it lets in, and how it meets those who guess."""
import concurrent.futures, re, sys, time
sys.path.insert(0, sys.path[0] + "/../lib")
from node_story import *

node = start()

got = once("GET", "/info", client={"user": None})
no(401, "unauthorized", got, "without login")
same(got[2]["WWW-Authenticate"], 'Basic realm="sallyport"', "is asked for one")
began = time.monotonic()
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    wrong = [pool.submit(once, "GET", "/info", None, {"user": user}) for user in ("alice:Pa55-wrong", "nobody\x1b[2J:x", "root:x", ":", "x address=192.0.2.9 y:x")]
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
ok(until(lambda: "user=x address\\x3d192.0.2.9 y address=203.0.113.2" in log(), 2) and "address=192.0.2.9" not in log(), "without a field of the client's making")
ok("\x1b" not in log() and "Pa55-wrong" not in log() and "secret" not in log(), "escaped, and without passwords")
no(403, "forbidden", once("GET", "/metrics"), "metrics for a user")
metrics = once("GET", "/metrics", client={"user": "op:boss"})[1]
ok(re.search(r"^sallyport_node_login_failures_total 8$", metrics, re.M) and "Pa55" not in metrics and "alice" not in metrics, "for an admin: counted, and without names") or print("# " + metrics)
same(once("GET", "/metrics", client={"namespace": None, "address": "127.0.0.1", "user": None})[0], 200, "and without login from the proxy itself")
users(alice="new", carol="third", op="boss")
same(once("GET", "/info", client={"user": "carol:third"})[0], 200, "a new user is let in without a restart")
no(401, "unauthorized", once("GET", "/info", client={"user": "alice:secret"}), "an old password no more, though it was right a moment ago")
no(401, "unauthorized", once("GET", "/info", client={"user": "bob:other"}), "nor one who is no user any more")
write(NODE_USERS, "nonsense\n", 0o640, NODE_UID)
no(500, "internal", once("GET", "/info", client={"user": "carol:third"}), "users that cannot be read let nobody in")
three_users()
same(once("GET", "/info")[0], 200, "until they can be again")
with concurrent.futures.ThreadPoolExecutor(40) as pool:
    source = {"namespace": "inner2", "address": "203.0.113.17"}
    guesses = list(pool.map(lambda i: once("GET", "/info", None, source | {"user": f"alice:guess{i}"}), range(40)))
throttled = sum(one[1]["error"]["message"].startswith("Too many failed logins") for one in guesses)
ok(10 <= throttled <= 20, "of 40 wrong logins at once half are not even looked at") or print(f"# {throttled}")
no(503, "busy", once("GET", "/info", None, source | {"user": "bob:other"}), "nor is a right one from there")
same(once("GET", "/info", None, {"user": "bob:other"})[0], 200, "from elsewhere it is")

done()
