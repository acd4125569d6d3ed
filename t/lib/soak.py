#!/usr/bin/env python3
"""soak.py SECONDS SEED: sessions from several clients, begun, ended and killed
at random; then compares dmz and inside1 with how they were before.

SQUASH leads to inside1, where `udp.py echo` has the UDP port, and INDIVIDUAL to
inside2, where asp-cp needs it. outside speaks IPv4, outside2 IPv6. Prints lines of
"KEY text": what failed (failure), what is different (left), and figures. The
seed gives each lane of sessions its choices; how they fall in time is chance.
"""
import os
import random
import re
import subprocess
import sys
import threading
import time

from sessions import LET_IN, PREFIX, SPOOL, SQUASH, SQUASH_6, Host, Session, roles, wait_until

DMZ, INSIDE1, INSIDE2 = Host("dmz"), Host("inside1"), Host("inside2")
CLIENTS = [Host("outside"), Host("outside2")]
ADDRESSES = {"outside": (SQUASH, os.environ["INDIVIDUAL"]),
             "outside2": (SQUASH_6, f"[{os.environ['INDIVIDUAL_6']}]")}
LANES = 3            # of each client
MOST_SESSIONS = 5000
COPIES = 0.15        # of all
LONGEST_PAUSE = 1.0  # s, of a living session's data: the machine is busy
VICTIMS = ["sshd-priv", "sshd-user", "ascp_rproxy", "asp-upstream", "asp-dial", "asp-pinhole", "ssh"]
lock = threading.Lock()
tally = {"whole": 0, "killed": 0, "copied": 0, "reaped": 0}
failures = []
firsts = []  # s, from a session's first packet to its first answer
numbers = iter(range(1, MOST_SESSIONS + 1))


def count(what):
    with lock:
        tally[what] += 1


def fail(text):
    with lock:
        failures.append(" ".join(text.split()))


class Killer(threading.Thread):
    """Kills one process of the session after a while, if there is that one."""

    def __init__(self, session, victim, after):
        super().__init__(daemon=True)
        self.session, self.victim, self.after = session, victim, after
        self.struck = False
        self.start()

    def run(self):
        time.sleep(self.after)
        if self.victim == "ssh":
            self.struck = self.session.ssh.poll() is None
            self.session.ssh.kill()
            return
        victim = wait_until(1, lambda: roles(DMZ, self.session.number).get(self.victim), 0.05)
        # Before the kill, for what follows from it may be seen first.
        self.struck = victim is not None
        if victim:
            victim.kill()


def talk(session, seconds, killer):
    """What is wrong with how its data goes to and fro; None: nothing."""
    start = last = time.monotonic()
    answers = n = 0
    while time.monotonic() - start < seconds or not answers:
        # A client without its session falls silent: a new session of the same
        # address cannot tell what it still sends from its own data.
        if killer and killer.struck:
            return None
        n += 1
        text = f"{session.number}.{n}"
        next_at = time.monotonic() + 0.02
        session.send(text)
        while (left := next_at - time.monotonic()) > 0:
            answer = session.receive(left)
            if answer is None:
                continue
            if not answer.startswith(f"{session.number}."):
                return f"got an answer for {answer}"
            if not answers:
                firsts.append(time.monotonic() - start)
            answers += 1
            last = time.monotonic()
        if time.monotonic() - last > LONGEST_PAUSE:
            return f"{'no more' if answers else 'no'} answers for {time.monotonic() - last:.2f} s"
    return None


def transfer(chance, client, number):
    user = chance.choice(["bear", "bobcat"])
    seconds = chance.uniform(0.1, 0.8)
    victim, after = chance.choice(VICTIMS), chance.uniform(0, 1.2)
    doomed = chance.random() < 0.4
    session = Session(client, user, number, ADDRESSES[client.name][0])
    killer = Killer(session, victim, after) if doomed else None
    wrong = talk(session, seconds, killer) if session.opened(40) else "did not open"
    if killer:
        killer.join()
        if not killer.struck:
            killer = None
    status = session.end(40)
    if killer:
        count("killed")
    elif wrong or status != 0:
        fail(f"session {number} of {user} at {client.name}: {wrong or 'ended'}, status {status} {session.why}")
    else:
        count("whole")


def copy(chance, client, number):
    size = chance.randrange(1, 200_000)
    home = f"{client.root}/home/bobcat"
    with open(f"{home}/{number}", "wb") as file:
        file.write(chance.randbytes(size))
    result = subprocess.run(
        client.argv("asp-cp", "-P", "33001", f"/home/bobcat/{number}", f"bobcat@{ADDRESSES[client.name][1]}:/tmp/{number}", user="bobcat"),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    target = f"{INSIDE2.root}/tmp/{number}"
    if result.returncode != 0:
        fail(f"asp-cp {number} at {client.name}: {result.returncode} {result.stdout}")
    elif not same(f"{home}/{number}", target):
        fail(f"asp-cp {number}: the file is not the same")
    else:
        count("copied")
    for path in f"{home}/{number}", target:
        if os.path.exists(path):
            os.remove(path)


def same(one, other):
    with open(one, "rb") as a, open(other, "rb") as b:
        return a.read() == b.read()


def lane(seed, client, until):
    chance = random.Random(seed)
    while time.monotonic() < until:
        with lock:
            number = next(numbers, None)
        if number is None:
            return
        try:
            (copy if chance.random() < COPIES else transfer)(chance, client, number)
        except Exception as fault:  # the other lanes go on, and the test fails
            fail(f"session {number}: {type(fault).__name__} {fault}")
        time.sleep(chance.uniform(0, 0.2))


def reap():
    result = DMZ.run(f"{PREFIX}/bin/asp-reap")
    if result.returncode or result.stdout or result.stderr:
        fail(f"asp-reap: {result.returncode} {result.stdout} {result.stderr}")


def reaper(seed, until):
    chance = random.Random(seed)
    while time.monotonic() < until:
        time.sleep(chance.uniform(0, 2))
        reap()
        count("reaped")


def descriptors(process):
    """What a process has open; which socket, matters not."""
    try:
        directory = f"/proc/{process.pid}/fd"
        return [re.sub(r"\d+", "N", os.readlink(f"{directory}/{name}")) for name in os.listdir(directory)]
    except OSError:
        return []


def picture():
    """All that has to be after as it was before, as a sorted list of lines."""
    lines = []
    for program in "iptables-save", "ip6tables-save":
        for line in DMZ.run(program).stdout.splitlines():
            if not line.startswith("#"):
                lines.append(f"{program} " + re.sub(r" \[\d+:\d+\]", "", line))
    for family in "ipv4", "ipv6":
        for line in DMZ.run("conntrack", "-f", family, "-L", "-m", "0x8000000/0x8000000").stdout.splitlines():
            lines.append("flow " + line)
    top = f"{DMZ.root}/{SPOOL}"
    for directory, _, names in os.walk(top):
        if directory[len(top):] != LET_IN:
            lines += [f"spool {directory[len(top):]}/{name}" for name in ["", *names]]
    for host in DMZ, INSIDE1, INSIDE2:
        for process in host.processes().values():
            if process.pid == host.holder or process.name in ("nsenter", "setpriv"):
                continue
            lines.append(f"{host.name} process {process.name}")
            if process.name in ("sshd", "rsyslogd"):
                lines += [f"{host.name} {process.name} has open {what}" for what in descriptors(process)]
    return sorted(lines)


def difference(before, after):
    rest = list(after)
    gone = []
    for line in before:
        rest.remove(line) if line in rest else gone.append(line)
    return [f"new: {line}" for line in rest] + [f"lost: {line}" for line in gone]


def main():
    seconds, seed = float(sys.argv[1]), sys.argv[2]
    for client in CLIENTS:
        warm = Session(client, "bear", 0, ADDRESSES[client.name][0])  # lays the base chains, makes the directories
        if not warm.opened() or warm.end() != 0:
            fail(f"the first session of {client.name}: {warm.why}")
    wait_until(5, lambda: not roles(DMZ, 0))
    reap()
    time.sleep(0.3)  # sshd's own processes of it
    before = picture()

    start = time.monotonic()
    lanes = [threading.Thread(target=lane, args=(f"{seed}/{client.name}/{n}", client, start + seconds))
             for client in CLIENTS for n in range(LANES)]
    lanes.append(threading.Thread(target=reaper, args=(f"{seed}/reaper", start + seconds)))
    for each in lanes:
        each.start()
    for each in lanes:
        each.join()
    taken = time.monotonic() - start
    reap()
    wait_until(10, lambda: not difference(before, picture()), 0.2)

    for text in failures:
        print("failure", text)
    for text in difference(before, picture()):
        print("left", text)
    for what, number in tally.items():
        print("tally", what, number)
    print("first", round(max(firsts, default=0) * 1000))
    print("rate", f"{(tally['whole'] + tally['killed'] + tally['copied']) / taken:.1f}")


if __name__ == "__main__":
    main()
