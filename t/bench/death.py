"""death.py: how long a packet still gets through after its session's conductor died."""
import contextlib
import threading
import time

from machine import DMZ, INSIDE, NAME, OUTSIDE
from report import Row, median
from sessions import Session, roles, wait_until

ROUNDS = 15
EVERY = 0.001  # s, between packets
WATCHED = 0.4  # s after the kill


class Arrivals(threading.Thread):
    """When packets arrive at inside1, which has their port as long as this lasts."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = INSIDE.socket()
        self.socket.bind((NAME["INSIDE1"], 33001))
        self.socket.settimeout(0.1)
        self.last = 0.0
        self.over = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()
        self.socket.close()

    def run(self):
        while not self.over.is_set():
            with contextlib.suppress(TimeoutError):
                self.socket.recv(2048)
                self.last = time.monotonic()


def last_delivery(arrivals, number):
    session = Session(OUTSIDE, "bear", number)
    assert session.opened()
    before = arrivals.last
    assert wait_until(5, lambda: session.send("x") or arrivals.last > before)
    conductor = roles(DMZ, number)["ascp_rproxy"]
    end = time.monotonic() + 0.1
    while time.monotonic() < end:
        session.send("x")
        time.sleep(EVERY)
    killed = time.monotonic()
    conductor.kill()
    while time.monotonic() < killed + WATCHED:
        session.send("x")
        time.sleep(EVERY)
    last = arrivals.last
    session.end()
    assert last < killed + WATCHED - 0.02, "packets still arrived"
    return max(last - killed, 0) * 1000


def conductor():
    with Arrivals() as arrivals:
        times = [last_delivery(arrivals, 1000 + n) for n in range(ROUNDS)]
    row = Row("kill -9 of the conductor to the last packet delivered", "ms", median(times))
    row.notes.append(f"median of {ROUNDS}, worst {max(times):.0f} ms; a packet each {EVERY * 1000:g} ms")
    return row.below(100, "median")
