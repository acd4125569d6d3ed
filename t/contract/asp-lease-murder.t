#!/usr/bin/env python3
"""asp-lease: killed at any moment, it leaves what is on record in force, and nothing else."""
import os, random, signal, socket, subprocess, sys, time
sys.path.insert(0, sys.path[0] + "/../lib")
from lease_story import *
import lease as service

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

# The one that waits for callers, where systemd does not: asp-reap starts it again.
SOCKET, NUMBER = "/run/sallyport/lease.sock", "/run/sallyport/asp-lease.pid"


def calls():
    """Whether somebody answers at the socket."""
    s = as_account(NODE_UID, lambda: socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
    try:
        as_account(NODE_UID, lambda: s.connect(SOCKET))
        s.settimeout(10)
        s.send(b"request=count\n\n")
        return b"answer=count" in s.recv(65536)
    except OSError:
        return False
    finally:
        s.close()


def number():
    with open(NUMBER) as f:
        return int(f.read())


same(reap(), (0, "", ""), "without one, asp-reap does nothing")
same(os.path.exists(SOCKET), False, "and starts none")
door = subprocess.Popen([PROGRAM], stdin=subprocess.DEVNULL)
ok(until(calls), "one that waits for callers answers them")
same(number(), door.pid, "its number is on record")
same(reap(), (0, "", ""), "asp-reap leaves it alone")
same((number(), "Started asp-lease" in log()), (door.pid, False), "(indeed)")
same(run(PROGRAM)[0], 75, "a second one is refused")
same(number(), door.pid, "and is not on record")
caller = service.Lease(PROGRAM, NODE_UID)  # as those that it starts
door.kill()
door.wait()
same(calls(), False, "(killed, nobody answers)")
same(reap(), (0, "", ""), "asp-reap, then")
ok(until(calls), "starts it again")
ok(logged("asp-reap.*Started asp-lease again: it had died") or logged("Started asp-lease again: it had died"), "and says so in the log")
again = number()
with open(f"/proc/{again}/status") as f:
    status = dict(line.split(":\t", 1) for line in f.read().splitlines() if ":\t" in line)
same((again != door.pid, status["NoNewPrivs"], os.readlink(f"/proc/{again}/exe"), os.readlink(f"/proc/{again}/fd/1")), (True, "0", PROGRAM, "/dev/null"), "with what it would have from init")
same(caller.end(), 0, "(whom the first one served goes on)")
os.kill(again, signal.SIGTERM)
ok(until(lambda: not os.path.exists(NUMBER)), "told to end, it takes itself off the record")
same(reap(), (0, "", ""), "asp-reap, then")
same((os.path.exists(NUMBER), calls()), (False, False), "does not start it again")

lease.end()
done()
