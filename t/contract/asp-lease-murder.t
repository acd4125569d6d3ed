#!/usr/bin/env python3
"""asp-lease: killed at any moment, it leaves what is on record in force, and nothing else."""
import random, signal, sys, time
sys.path.insert(0, sys.path[0] + "/../lib")
from lease_story import *

four = Listener("203.0.113.1")
server4 = Server("outer", "198.51.100.50", 22, [33001, 33002, 33003])
inner = four.connect("inner")[1]
lease = Lease()

random.seed(6)
for round in range(4):
    for _ in range(200):
        lease.send(inner, **ASK)
    moment = random.randrange(1, 60)
    answered = [lease.receive() for _ in range(moment)] if round % 2 else []
    time.sleep(0 if round % 2 else random.random() / 10)
    lease.process.send_signal(signal.SIGKILL)
    lease.process.wait()
    lease.socket.settimeout(1)
    try:
        while True:
            answer = lease.receive()
            if not answer:
                break
            answered.append(answer)
    except OSError:
        pass
    lease.socket.close()
    reap()
    on_record = recorded()
    same({id: 2 for id in on_record}, mapped(), f"killed after {moment} answers, or some: each of {len(on_record)} leases has its elements")
    same((set(ports().values()), owned()), (on_record, on_record), "its port, and its owner")
    ok({each["lease"] for each in answered} <= on_record, f"and all {len(answered)} that were answered are there")
    lease = Lease()
    if answered:
        ok(Udp("inner", answered[-1]).arrives(server4.udp[33001]), "and pass")
    # And in the midst of their end.
    pairs = [(each, Udp("inner", each)) for each in answered[:3]]
    for each, flow in pairs:
        flow.arrives(server4.udp[33001])
    for id in sorted(on_record):
        lease.send(None, request="close", user="alice", lease=id)
    time.sleep(random.random() / 20)
    lease.kill()
    reap()
    same({id: 2 for id in recorded()}, mapped(), "killed while they end: what is on record is in force")
    same((set(ports().values()), owned()), (recorded(), recorded()), "and nothing else")
    ended = [flow for each, flow in pairs if each["lease"] not in recorded()]
    same([flow.arrives(server4.udp[33001]) for flow in ended], [None] * len(ended), "no flow goes on without its lease")
    lease = Lease()
    for id in recorded():
        lease.send(None, request="close", user="alice", lease=id)
    until(lambda: lease.ask(request="count").get("leases") == "0")
    lease.end()
    lease = Lease()
nothing_left("nothing is left")

lease.end()
done()
