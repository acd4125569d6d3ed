"""crowd.py: as many sessions at once as a busy proxy has, all from one client
address and to one server, opened as fast as the machine takes them.
"""
import concurrent.futures
import itertools
import os
import select
import subprocess
import time

from control import OURS, Idle
from machine import DMZ, INSIDE, NAME, OUTSIDE, SOURCE, WAYS, lab_seconds, pss, running, settled
from report import Row
from sessions import UDP_PORT

CROWD = int(os.environ.get("CROWD", "300"))
HELD = float(os.environ.get("CROWD_SECONDS", "60"))
AT_ONCE = 16      # of them being opened at a time
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
                while select.select([self.udp], [], [], AGAIN)[0]:
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


def open_crowd(kind, argv):
    """Sessions, how many of them failed, and how long it took until all of them had answered."""
    def begin(_):
        session = kind(argv)
        return session, session.answers()
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        opened = list(pool.map(begin, range(CROWD)))
    return [session for session, _ in opened], sum(1 for _, answered in opened if not answered), time.monotonic() - start


def hold(sessions):
    """How many went without an answer meanwhile."""
    silent, end = set(), time.monotonic() + HELD
    talkers = [session for session in sessions if isinstance(session, Transfer)]
    while time.monotonic() < end and talkers:
        for session in talkers:
            if not session.exchange():
                silent.add(session.number)
            time.sleep(EACH / len(talkers))
    time.sleep(max(0, end - time.monotonic()))
    return len(silent)


def measure(way, kind, names, held=True):
    """Sessions a second, failures, and a note of what it took."""
    settled()
    before = lab_seconds()
    sessions, unopened, seconds = open_crowd(kind, WAYS[way])
    opening = lab_seconds() - before
    size = pss(process.pid for process in DMZ.processes().values() if process.name in names) / 1e6
    note = f"{opening / CROWD * 1000:.0f} ms of CPU for each to open"
    unanswered = 0
    if held:
        before, start = lab_seconds(), time.monotonic()
        unanswered = hold(sessions)
        note += f", {(lab_seconds() - before) / (time.monotonic() - start) * 100:.1f} % of a CPU while held"
    unanswered = max(unanswered, sum(1 for session in sessions if not Idle.answers(session)))
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        statuses = list(pool.map(lambda session: session.end(), sessions))
    failures = max(unopened, unanswered, sum(1 for status in statuses if status != 0))
    return CROWD / seconds, failures, f"{note}, {size:.0f} MB on dmz, {failures} failures"


def row(name, ours, nested):
    made = Row(name, "sessions/s", ours[0], {"nested ssh": nested[0]})
    made.notes += [f"ours: {ours[2]}", f"nested ssh: {nested[2]}"]
    return made.at_least(1.0, nested[0], "nested").none(ours[1], "failures")


def all_rows():
    nested = measure("nested ssh", Idle, ("ssh",))
    server = INSIDE.argv("python3", f"{SOURCE}/t/lib/transfer.py", "--serve", "inside1", f"{NAME['INSIDE1']}:{UDP_PORT}")
    with running(server, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout.readline() == "listening\n"
        transfers = measure("ours", Transfer, OURS)
    silent = measure("ours", Idle, OURS, held=False)
    return [row(f"{CROWD} sessions at once, held for {HELD:g} s, each with UDP", transfers, nested),
            row(f"{CROWD} sessions at once, whose UDP never comes", silent, nested)]
