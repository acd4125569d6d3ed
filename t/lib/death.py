#!/usr/bin/env python3
"""death.py RECEIVED...: kills each process of a session at each step of its life;
and some of them once more with a session over IPv6.

RECEIVED is what the servers at inside1 print of each packet that they got (udp.py
echo). Prints a line for each cell of the table, "ok STEP PROCESS MS" or
"not ok STEP PROCESS why": MS is the time from the kill (from the start of asp-reap
where asp-pinhole itself was killed) until nothing of the session was left. Then
"bystander GAP-MS STATUS", of a session of another client that lived through all
of it, and "arrived" with what came of the packets that the dead sessions' clients
sent afterwards.
"""
import fcntl
import os
import re
import signal
import sys
import threading
import time

from sessions import NFTABLES, PREFIX, SPOOL, SQUASH, SQUASH_6, UDP_PORT, Host, Process, Session, State, is_sshd, roles, wait_until

DMZ, OUTSIDE, OUTSIDE2, INSIDE = Host("dmz"), Host("outside"), Host("outside2"), Host("inside1")
# sudo becomes the helpers; another waits for them.
SUDO = [] if os.environ.get("LAB_SUDO", "sudo") == "sudo" else ["sudo-upstream", "sudo-pinhole"]
ON_DMZ = ["sshd-priv", "sshd-user", "ascp_rproxy", "asp-upstream", "asp-dial", "asp-pinhole", *SUDO]
UPSTREAM = ["asp-upstream", "asp-dial", "sudo-upstream"]
LONGEST = 1.0


class Client(Session):
    count = 0
    v6 = False

    def __init__(self, host=OUTSIDE):
        Client.count += 1
        self.others = {pid for pid, process in INSIDE.processes().items() if is_sshd(process)}
        super().__init__(host, "bear", Client.count, SQUASH_6 if Client.v6 else SQUASH)

    def open(self):
        if not self.opened():
            raise RuntimeError(f"a session did not open: {self.end()} {self.why}")
        return self

    def complete(self, names=tuple(ON_DMZ)):
        return set(names) == set(roles(DMZ, self.number))

    def token(self):
        conductor = roles(DMZ, self.number)["ascp_rproxy"].pid
        return any(name.startswith(f"{conductor}.") for name in os.listdir(f"{DMZ.root}/{SPOOL}/callers"))

    def inside(self):
        """The process that serves it at inside1, once it is authenticated there."""
        for process in INSIDE.processes().values():
            if is_sshd(process) and process.pid not in self.others and re.match(r"\S+: xfer(@\S*)?\s*$", "".join(process.words)):
                return process
        return None

    def process(self, name):
        if name == "ssh":
            return Process(self.ssh.pid)
        return self.inside() if name == "inside-sshd" else roles(DMZ, self.number).get(name)

    def exchange(self):
        """Whether a packet and its answer got through."""
        for n in range(50):
            self.send(f"hello {n}")
            if self.receive(0.1):
                return True
        return False


# Each step: which processes there are to kill, how a session is brought there
# (reach), and what then lets go of it (release).
class Step:
    victims = ON_DMZ + ["ssh", "inside-sshd"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def release(self):
        pass

    def settled(self):
        return True

    def probe(self, session, text):
        session.send(text)


class Connecting(Step):
    """The inside server is stopped: asp-dial waits for its greeting."""
    victims = ON_DMZ + ["ssh"]

    def __enter__(self):
        with open(f"{INSIDE.root}/run/sshd.pid") as file:
            self.listener = int(file.read())
        os.kill(self.listener, signal.SIGSTOP)
        return self

    def __exit__(self, *_):
        os.kill(self.listener, signal.SIGCONT)

    def reach(self, session):
        return wait_until(10, lambda: session.complete() and session.token())


class Waiting(Step):
    """Another session of this client, which sends nothing yet, has the turn."""

    def __enter__(self):
        self.first = Client().open()
        self.probes = []
        return self

    def __exit__(self, *_):
        # While it has no flow its rule takes every packet. Once it has, whoever
        # still waited would open.
        self.first.exchange()
        wait_until(5, lambda: pinned(self.first))
        for session, text in self.probes:
            session.send(text)
        self.first.end()

    def reach(self, session):
        if not wait_until(10, lambda: session.complete() and session.token() and session.inside()):
            return False
        time.sleep(0.1)  # to be waited for is nothing that could be seen
        return session.complete() and session.ssh.poll() is None

    def probe(self, session, text):
        self.probes.append((session, text))


class Locked(Step):
    """Who wants to change a rule waits, for the firewall's lock is ours."""
    file = None

    def lock(self):
        self.file = open(f"{DMZ.root}/{SPOOL}/lock", "r+")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def release(self):
        if self.file:
            self.file.close()


class Opening(Locked):
    """asp-pinhole has its turn, and is about to put the rule in force."""

    def reach(self, session):
        self.lock()
        turns = f"{DMZ.root}/{SPOOL}/turns"
        return wait_until(10, lambda: os.listdir(turns) and session.complete() and session.inside())


class Writing(Step):
    """iptables-restore, slowed down, is about to put the rule in force."""
    victims = ["asp-pinhole"]

    def __enter__(self):
        self.program = f"{DMZ.root}/usr/sbin/iptables-restore"
        self.link = os.readlink(self.program)
        os.remove(self.program)
        with open(self.program, "w") as file:
            file.write('#!/bin/sh\n[ ! -e /run/slow ] || sleep 2\nexec xtables-nft-multi iptables-restore "$@"\n')
        os.chmod(self.program, 0o755)
        return self

    def __exit__(self, *_):
        os.remove(self.program)
        os.symlink(self.link, self.program)

    def settled(self):
        return not any(process.name == "iptables-restor" for process in DMZ.processes().values())

    def reach(self, session):
        open(f"{DMZ.root}/run/slow", "w").close()
        return wait_until(10, lambda: not self.settled())

    def release(self):
        if os.path.exists(f"{DMZ.root}/run/slow"):
            os.remove(f"{DMZ.root}/run/slow")


class Open(Step):
    def reach(self, session):
        return session.opened() and session.complete()


class Pinned(Open):
    def reach(self, session):
        return super().reach(session) and session.exchange() and wait_until(5, lambda: pinned(session))


class OpenOverIPv6(Open):
    victims = ["sshd-priv", "asp-pinhole"]


class PinnedOverIPv6(Pinned):
    victims = ["ascp_rproxy", "asp-pinhole"]


class SudoStays(Pinned):
    """sudo has a PAM session to close at the end, and so it waits for the helpers."""
    victims = ["sudo-upstream", "sudo-pinhole", "ascp_rproxy"]

    def __enter__(self):
        self.file = f"{DMZ.root}/etc/sudoers.d/zzz-pam"
        with open(self.file, "w") as file:
            file.write("Defaults!SALLYPORT_HELPERS pam_session\n")
        os.chmod(self.file, 0o440)
        return self

    def __exit__(self, *_):
        os.remove(self.file)

    def reach(self, session):
        return session.opened() and session.exchange() and wait_until(5, lambda: pinned(session)) and session.complete([*ON_DMZ, "sudo-upstream", "sudo-pinhole"])


class Closing(Locked):
    """The client has hung up; asp-pinhole is about to remove the rule."""
    victims = [name for name in ON_DMZ if name not in UPSTREAM] + ["ssh"]

    def reach(self, session):
        if not Pinned().reach(session):
            return False
        self.lock()
        session.hang_up()
        return wait_until(10, lambda: session.complete([name for name in ON_DMZ if name not in UPSTREAM]))


def state_now():
    return State(DMZ, Client.v6)


def pinned(session):
    port = session.udp.getsockname()[1]
    port = f" . {port} . {UDP_PORT} comment" if NFTABLES else f"--sport {port} "
    return any(port in thing for thing in state_now().things)


def left(step, before):
    """What is there that was not, or the other way round."""
    state = state_now()
    return state - before + [f"lost: {thing}" for thing in before - state] + ["" if step.settled() else "iptables"]


def alive(process):
    try:
        return Process(process.pid).state != "Z"
    except (OSError, ValueError):
        return False


def cell(step, session, name, before):
    """How long it took, in ms; text when it went wrong."""
    if not step.reach(session):
        return f"did not get there: {sorted(roles(DMZ, session.number))} {state_now() - before}"
    victim = session.process(name)
    if not victim or not victim.kill():
        return "was not there to be killed"
    step.release()
    start = time.monotonic()
    if name == "asp-pinhole":
        wait_until(1, lambda: not alive(victim))
        reap = DMZ.run(f"{PREFIX}/bin/asp-reap")
        if reap.returncode or reap.stdout or reap.stderr:
            return f"asp-reap: {reap}"
    while True:
        looked = time.monotonic()  # what is seen now was so at that time or earlier
        remains = [thing for thing in left(step, before) if thing]
        if name == "asp-upstream" and all(thing.startswith("/dialers/") for thing in remains):
            DMZ.run(f"{PREFIX}/bin/asp-reap")  # its token, a file that nobody has locked
            remains = [thing for thing in left(step, before) if thing]
        if not remains:
            return round((looked - start) * 1000)
        if looked - start > LONGEST:
            return f"left after {looked - start:.2f} s: {remains}"


class Bystander(threading.Thread):
    """Another client's session, with a packet and its answer each 20 ms."""

    def __init__(self):
        super().__init__(daemon=True)
        self.session = Client(OUTSIDE2).open()
        self.gap = 0.0
        self.over = threading.Event()
        if not self.session.exchange() or not wait_until(5, lambda: pinned(self.session)):
            raise RuntimeError("the bystander's packets do not get through")

    def run(self):
        last = time.monotonic()
        n = 0
        while not self.over.is_set():
            n += 1
            next_at = time.monotonic() + 0.02
            self.session.send(f"bystander {n}")
            while (left_over := next_at - time.monotonic()) > 0:
                if self.session.receive(left_over):
                    self.gap = max(self.gap, time.monotonic() - last)
                    last = time.monotonic()
        self.gap = max(self.gap, time.monotonic() - last)

    def end(self):
        self.over.set()
        self.join()
        alive = self.session.opened(5)
        status = self.session.end()
        return f"bystander {round(self.gap * 1000)} {status if alive else 'dead'}"


def main():
    bystander = Bystander()
    bystander.start()
    for name, kind in [("connecting", Connecting), ("waiting", Waiting), ("opening", Opening), ("writing", Writing),
                       ("open", Open), ("pinned", Pinned), ("sudo-stays", SudoStays), ("closing", Closing),
                       ("open-ipv6", OpenOverIPv6), ("pinned-ipv6", PinnedOverIPv6)]:
        if NFTABLES and kind in (Connecting, Waiting, Writing):
            continue  # there is no iptables-restore to be slowed down; the others know no firewall yet
        if SUDO and kind is SudoStays:
            continue  # it does so throughout
        done = []
        Client.v6 = name.endswith("ipv6")
        with kind() as step:
            for victim in kind.victims:
                before = state_now()
                session = Client()
                done.append(session)
                try:
                    result = cell(step, session, victim, before)
                finally:
                    step.release()
                session.ssh.kill()
                if isinstance(result, int):
                    step.probe(session, f"ghost-{name}-{victim}")
                else:
                    wait_until(5, lambda: not [thing for thing in left(step, before) if thing])
                    DMZ.run(f"{PREFIX}/bin/asp-reap")
                print("ok" if isinstance(result, int) else "not ok", name, victim, result, flush=True)
        for session in done:
            session.end()
    print(bystander.end())
    received = ""
    for path in sys.argv[1:]:
        with open(path) as file:
            received += file.read()
    print("arrived", *[word for word in received.split() if word.startswith("ghost-")])


if __name__ == "__main__":
    main()
