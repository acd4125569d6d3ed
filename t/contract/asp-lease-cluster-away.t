#!/usr/bin/env python3
"""Leases in a cluster: Redis is away, or only a replica of it is left."""
import signal, sys, time
sys.path.insert(0, sys.path[0] + "/../lib")
from cluster_story import *

masters(one)
keep = leased(one.service.open(inner), "a lease, before Redis goes")
back = leased(one.service.open(inner), "and one more")
through = tcp_through("inner", keep, server)
for way in ("stopped", "killed"):
    redis.signal(signal.SIGSTOP) if way == "stopped" else redis.kill()
    time.sleep(1.1)  # as long as nobody asks again
    answer, seconds = took(lambda: one.service.open(inner))
    refused(answer, "store_unavailable", f"Redis {way}: no new lease")
    ok(seconds < 2, f"said after {seconds:.2f} s")
    one.change(keep["lease"], deadline=int(keep["deadline"]) - 30)
    answer, seconds = took(lambda: one.service.ask(request="renew", user="alice", lease=keep["lease"]))
    ok(answer.get("answer") == "lease" and int(answer["deadline"]) >= int(keep["deadline"]), "a renewal holds on the master")
    ok(seconds < 2, f"after {seconds:.2f} s")
    ok(alive(through), "what was leased goes on")
    one.reap()
    ok(keep["lease"] in one.elements() and alive(through), "asp-reap does not take it away")
    if way == "stopped":
        redis.signal(signal.SIGCONT)
        ok(until(lambda: one.service.open(inner)["answer"] == "lease"), "going on again, Redis gives ports")
ok(logged("Leases are not shared for now"), "the log says so")
leased(one.service.ask(request="close", user="alice", lease=back["lease"]), "given back while Redis is away")
ok(back["lease"] not in one.elements(), "it ends on the master")
redis.start()
ok(until(lambda: leases_of(redis) == one.records() and keep["lease"] in leases_of(redis)), "a Redis that has lost all is told by the master")
ok(back["lease"] not in leases_of(redis), "but not of what was given back meanwhile")
ok(until(lambda: one.service.open(inner)["answer"] == "lease"), "and there are new leases")

# The master of Redis dies with its node: the one that is left was a replica, nobody
# has made it master yet.
ok(until(lambda: leases_of(replica) == leases_of(redis)), "the replica knows them")
redis.kill()
known = one.records()
two.asperaproxy("takeover")
same(two.elements(), known, "takeover with the replica alone lays all leases")
same(two.role(), "master", "it knows that there may be more")
answer = two.service.ask(request="renew", user="alice", lease=keep["lease"])
same(answer.get("answer"), "lease", "they can be renewed")
refused(two.service.ask(request="renew", user="alice", lease=UNKNOWN), "store_unavailable", "one that is not known may be one that was not heard of")
two.reap()
same(two.elements(), known, "asp-reap leaves them in force")
redis.start()
ok(until(lambda: two.role() == "informed", 8), "once Redis is back it knows all")
refused(two.service.ask(request="renew", user="alice", lease=UNKNOWN), "not_found", "then what is not known is not there")

done()
