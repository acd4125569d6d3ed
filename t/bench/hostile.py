"""hostile.py: what one attacker can do to somebody else. For each attack: how long a
session of another user takes to set up meanwhile, whether it is set up at all, and whether
a transfer that runs goes on. attackers.py is the other side.
"""
import contextlib
import dataclasses
import signal
import subprocess
import threading
import time

from leases import node_service, opened_by
from machine import DMZ, INSIDE, NAME, OUTSIDE, PREFIX, SOURCE, proxied, running, settled
from report import Row, median
from sessions import UDP_PORT, Host, Session, wait_until

ATTACKERS = f"{SOURCE}/t/bench/attackers.py"
ROUNDS = 8
EVERY = 0.02       # s, between packets of the running transfer
LONGEST_GAP = 2.0  # s, without an answer
PATIENCE = 30      # s, for a session
WARM = 3           # s, for an attack to reach its full force
SSH_PORT = "33001"
MAX_FLOWS = 512    # of one client: the default of <max_flows_per_client>


@dataclasses.dataclass
class Attack:
    name: str
    who: str
    argv: list
    bound: float  # times the set-up time without it
    flows: int = 0  # that the attacker may have in the kernel's table meanwhile; 0: does not matter


class Transfer(threading.Thread):
    """A running transfer of bear's: asks and is answered, and remembers the longest silence."""

    def __init__(self, number):
        super().__init__(daemon=True)
        self.session = Session(OUTSIDE, "bear", number)
        assert self.session.opened(), "the transfer was not set up"
        self.over, self.longest, self.last = threading.Event(), 0.0, time.monotonic()
        assert wait_until(5, self.exchange), "the transfer is not answered"
        self.start()

    def exchange(self):
        self.session.send("inside1/victim there?")
        if not self.session.receive(EVERY):
            return False
        now = time.monotonic()
        self.longest, self.last = max(self.longest, now - self.last), now
        return True

    def run(self):
        while not self.over.is_set():
            if self.exchange():
                time.sleep(EVERY)

    def silence(self):
        """The longest time without an answer since the last call."""
        longest, self.longest = max(self.longest, time.monotonic() - self.last), 0.0
        return longest

    def end(self):
        self.over.set()
        self.join()
        return self.session.end()


def set_up(times, failures):
    for _ in range(ROUNDS):
        start = time.monotonic()
        try:
            done = subprocess.run(proxied("true"), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=PATIENCE, check=False)
        except subprocess.TimeoutExpired:
            done = None
        times.append(time.monotonic() - start)
        if done is None or done.returncode != 0:
            failures.append(done)


@contextlib.contextmanager
def under(attack):
    with running(attack.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as attacker:
        assert attacker.stdout.readline() == "begun\n", f"{attack.name}: the attacker does not run"
        time.sleep(WARM)
        try:
            yield
        finally:
            attacker.send_signal(signal.SIGTERM)


def measure(attack, transfer):
    settled()
    quiet, times, failures = [], [], []
    set_up(quiet, failures)
    transfer.silence()
    with under(attack):
        set_up(times, failures)
        silence = transfer.silence()
        flows = len(DMZ.run("conntrack", "-L", "-p", "udp", "--orig-src", NAME["OUTSIDE2"]).stdout.splitlines()) if attack.flows else 0
    row = Row(f"{attack.who}: {attack.name}", "ms", median(times) * 1000, {}, {"without": median(quiet) * 1000})
    row.at_most(attack.bound, median(quiet) * 1000, "without").none(len(failures), "failures")
    row.none(int(silence > LONGEST_GAP), f"silence of {LONGEST_GAP:g} s")
    row.notes.append(f"set-up of another user's session, median of {ROUNDS}, longest {max(times) * 1000:.0f} ms; "
                     f"longest silence of another's transfer {silence * 1000:.0f} ms")
    if attack.flows:
        row.none(int(flows > attack.flows), f"more than {attack.flows} flows").notes.append(f"the attacker has {flows} flows")
    return row


def api_row():
    """One host inside against another that leases."""
    settled()
    other = Host("inside2")
    begin = other.argv("python3", ATTACKERS, "requests", NAME["DMZ_LAN"], "9091", "300")
    attack = Attack("300 connections with requests without end", "a host inside", begin, 5)
    with node_service():
        quiet = opened_by(INSIDE, "1", str(ROUNDS))
        with under(attack):
            times = opened_by(INSIDE, "1", str(ROUNDS))
    row = Row(f"{attack.who}: {attack.name}", "ms", median(times), {}, {"without": median(quiet)})
    row.notes.append(f"opening a lease for another host, median of {ROUNDS}, longest {times[-1]:.0f} ms")
    return row.at_most(attack.bound, median(quiet), "without")


def attacks():
    outside2 = Host("outside2")
    helper = f"{PREFIX}/libexec/asp-pinhole"

    def ssh(user, command, address=NAME["SQUASH"]):
        return ["ssh", *(["-n"] if command != "cat" else []), "-p", SSH_PORT, f"{user}@{address}", command]

    def outside(*words, user="root"):
        return outside2.argv("python3", ATTACKERS, *words, user=user)

    def broken_out(*words):
        return outside2.argv(*ssh("mallory", " ".join(["exec", "python3", ATTACKERS, *words])), user="mallory")

    anybody, user, broken = "a host outside", "a user", "code of a user's"
    return [
        Attack("300 idle connections to sshd", anybody, outside("connections", NAME["DMZ"], SSH_PORT, "300"), 2),
        Attack("3,000 forged SYNs a second to sshd", anybody, outside("syns", NAME["DMZ"], SSH_PORT, NAME["DMZ"], "3000"), 2),
        Attack("5,000 forged packets a second to a transfer's port", anybody,
               outside("datagrams", NAME["SQUASH"], str(UDP_PORT), NAME["OUTSIDE"], "5000"), 2),
        Attack("5,000 flows a second through a pinhole that is not narrowed", user,
               outside("flows", NAME["INDIVIDUAL"], str(UDP_PORT), "5000",
                       *ssh("bobcat", "cat", NAME["INDIVIDUAL"]), user="bobcat"), 2, flows=MAX_FLOWS),
        Attack("sessions without end, 4 at once", user, outside("sessions", "4", *ssh("bobcat", "true"), user="bobcat"), 4),
        Attack("sessions that stay, as many as it gets of 200", user, outside("held", "200", *ssh("bobcat", "cat"), user="bobcat"), 4),
        Attack("300 of root's helpers that are told nothing", broken, broken_out("helpers", "300", helper), 4),
        Attack("helpers that are told nonsense, 4 at once", broken, broken_out("garbage", "4", helper), 4),
        Attack("1,000 lines a second to syslog", broken, broken_out("lines", "1000"), 2),
    ]


def all_rows():
    server = INSIDE.argv("python3", f"{SOURCE}/t/lib/transfer.py", "--serve", "inside1", f"{NAME['INSIDE1']}:{UDP_PORT}")
    with running(server, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout.readline() == "listening\n"
        transfer = Transfer(4000)
        for attack in attacks():
            yield measure(attack, transfer)
        assert transfer.end() == 0
    yield api_row()
