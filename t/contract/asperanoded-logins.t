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
no(401, "unauthorized", once("GET", "/info", client={"user": "bob:other"}), "nor one who is not a user any more")
write(NODE_USERS, "nonsense\n", 0o640, NODE_UID)
no(500, "internal", once("GET", "/info", client={"user": "carol:third"}), "users that cannot be read let nobody in")
three_users()
same(once("GET", "/info")[0], 200, "until they can be again")
source = {"namespace": "inner2", "address": "203.0.113.17"}
source6 = {"namespace": "inner2", "address": "2001:db8:3::1"}


def timed(who):
    began = time.monotonic()
    got = once("GET", "/info", None, who)
    return got[0], time.monotonic() - began


def guess(names, where=source):
    """From one address at once: how many were looked at soon, late, not at all."""
    def one(name):
        began = time.monotonic()
        got = once("GET", "/info", None, where | {"user": name})
        return (got[0], time.monotonic() - began)
    with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
        got = list(pool.map(one, names))
    return sum(status == 401 and took < 4.5 for status, took in got), sum(status == 401 and took >= 4.5 for status, took in got), sum(status == 503 for status, took in got)


for where, about in ((source, "IPv4"), (source6, "IPv6")):
    status, took = timed(where | {"user": "alice:secret"})
    same(status, 200, f"{about}: alice logs in, once")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        soon, late, never = guess([f"bob:guess{i}" for i in range(40)], where)
        ok(soon >= 1 and late >= 1 and 19 <= soon + late <= 27 and soon + late + never == 40, f"{about}: of 40 guesses at bob half are looked at, a few late, the rest not at all") or print(f"# {soon} {late} {never}")
    same(timed(where | {"user": "op:boss"})[0], 200, f"{about}: another user gets in from that address")
    status, took = timed(where | {"user": "op:boss"})
    ok(status == 200 and took < 1, f"{about}: at once") or print(f"# {status} {took}")
    same(timed({"user": "bob:other"} | ({"address": PROXY6} if about == "IPv6" else {}))[0], 200, f"{about}: bob from elsewhere")
    status, took = timed(where | {"user": "bob:other"})
    ok(status == 200 and took < 1, f"{about}: what was right a moment ago is remembered") or print(f"# {status} {took}")
# Names without end, from one address: they use up what the address has; who was there before gets in.
soon, late, never = guess([f"nobody{i}:x" for i in range(150)])
ok(soon <= 75 and never >= 40, "of 150 names that nobody has half are not looked at") or print(f"# {soon} {late} {never}")
three_users()  # what was right is not remembered any more
status, took = timed(source | {"user": "alice:secret"})
ok(status == 200 and took < 1, "who has logged in from there gets in at once") or print(f"# {status} {took}")
status, took = timed({"user": "bob:other"})
ok(status == 200 and took < 1, "and anybody from elsewhere") or print(f"# {status} {took}")

done()
