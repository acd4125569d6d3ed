"""crowd.py: as many sessions at once as a busy proxy has, all from one client
address and to one server, opened as fast as the machine takes them.
"""
import concurrent.futures
import itertools
import os
import resource
import subprocess
import time

from control import OURS, Idle
from machine import DMZ, INSIDE, NAME, OUTSIDE, SOURCE, WAYS, lab_seconds, pss, readable, running, settled
from report import Row
from sessions import UDP_PORT

CROWD = int(os.environ.get("CROWD", "300"))
HELD = float(os.environ.get("CROWD_SECONDS", "60"))
BATCH = min(CROWD, 50)
AT_ONCE = 16      # being opened at a time
EACH = 10         # s, between two datagrams of a session that is held
AGAIN = 0.1       # s, until a datagram that was not answered is sent again
PATIENCE = 10     # s, for an answer
numbers = itertools.count(1)


class Transfer(Idle):
    """And one that sends UDP, from its own port, as soon as its command runs."""

    def __init__(self, argv):
        super().__init__(argv)
        self.number = next(numbers)
        self.sent = 0
        self.udp = OUTSIDE.socket()
        self.udp.connect((NAME["SQUASH"], UDP_PORT))

    def answers(self, seconds=60):
        return super().answers(seconds) and self.exchange()

    def exchange(self):
        """Whether the server at inside1 sends back what this session sends, and nothing else comes."""
        end = time.monotonic() + PATIENCE
        self.sent += 1
        text = f"inside1/{self.number} {self.sent}"
        while time.monotonic() < end:
            try:
                self.udp.send(text.encode())
                while readable(self.udp, AGAIN):
                    answer = self.udp.recv(2048).decode()
                    if answer == text:
                        return True
                    if not answer.startswith(f"inside1/{self.number} "):
                        return False
            except OSError:  # an ICMP error that came for an earlier packet
                time.sleep(AGAIN)
        return False

    def end(self):
        self.udp.close()
        return super().end()


class Crowd:
    """Sessions of one kind, and what they took."""

    def __init__(self, way, kind, names):
        self.way, self.kind, self.names = way, kind, names
        self.sessions, self.failed = [], set()
        self.seconds = self.cpu = 0

    def grow(self, count):
        def begin(_):
            session = self.kind(WAYS[self.way])
            return session, session.answers()
        start, before = time.monotonic(), lab_seconds()
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            opened = list(pool.map(begin, range(count)))
        self.seconds += time.monotonic() - start
        self.cpu += lab_seconds() - before
        self.sessions += [session for session, _ in opened]
        self.failed |= {session for session, answered in opened if not answered}

    def size(self):
        """MB of their processes on dmz, sshd apart."""
        return pss(process.pid for process in DMZ.processes().values() if process.name in self.names) / 1e6

    def end(self):
        """All must have been there until now."""
        self.failed |= {session for session in self.sessions if not Idle.answers(session)}
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            statuses = list(pool.map(lambda session: session.end(), self.sessions))
        self.failed |= {session for session, status in zip(self.sessions, statuses) if status != 0}

    def rate(self):
        return len(self.sessions) / self.seconds

    def note(self, size):
        return f"{self.way}: {self.cpu / len(self.sessions) * 1000:.0f} ms of CPU for each to open, {size:.0f} MB on dmz, {len(self.failed)} failures"


def hold(transfers):
    """Keeps them all talking now and then; the CPU that all of the lab takes meanwhile, in percent."""
    start, before = time.monotonic(), lab_seconds()
    while time.monotonic() < start + HELD:
        for session in transfers.sessions:
            if session not in transfers.failed and not session.exchange():
                transfers.failed.add(session)
            time.sleep(EACH / len(transfers.sessions))
    return (lab_seconds() - before) / (time.monotonic() - start) * 100


def transfers_row(ours, nested):
    settled()
    for _ in range(CROWD // BATCH):
        for each in nested, ours:
            each.grow(BATCH)
    sizes = {each: each.size() for each in (ours, nested)}
    busy = hold(ours)
    for each in ours, nested:
        each.end()
    row = Row(f"{CROWD} sessions at once, held for {HELD:g} s, each with UDP", "sessions/s", ours.rate(), {"nested ssh": nested.rate()})
    row.notes += [each.note(sizes[each]) for each in (ours, nested)]
    row.notes.append(f"opened in turn, {BATCH} of ours and {BATCH} of the rival's; while both are held {busy:.1f} % of a CPU")
    return row.at_least(1.0, nested.rate(), "nested").none(len(ours.failed), "failures")


def silent_row(ours, nested):
    settled()
    ours.grow(CROWD)
    size = ours.size()
    ours.end()
    row = Row(f"{CROWD} sessions at once whose UDP never comes", "sessions/s", ours.rate(), {"nested ssh": nested.rate()})
    row.notes += [ours.note(size), "the first are waited for, 3 s; the rival's figure is that of the row above"]
    return row.none(len(ours.failed), "failures")


def all_rows():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 8 * CROWD + 1024) if most >= 0 else 8 * CROWD + 1024, most))
    nested = Crowd("nested ssh", Idle, ("ssh",))
    server = INSIDE.argv("python3", f"{SOURCE}/t/lib/transfer.py", "--serve", "inside1", f"{NAME['INSIDE1']}:{UDP_PORT}")
    with running(server, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout.readline() == "listening\n"
        rows = [transfers_row(Crowd("ours", Transfer, OURS), nested)]
    return [*rows, silent_row(Crowd("ours", Idle, OURS), nested)]
