"""control.py: sessions as their users feel them: set-up, bulk, memory."""
import contextlib
import subprocess
import threading
import time

from machine import DMZ, WAYS, pss, readable, reused, settled
from report import Row, median

ROUNDS = 15
MEGABYTES = 300
BULK_ROUNDS = 3
OURS = ("aspshell", "ascp_rproxy", "asp-upstream", "asp-dial", "asp-pinhole", "sudo")  # sudo: where it does not become what it runs


def timed(argv, **options):
    start = time.monotonic()
    subprocess.run(argv, check=True, stdin=options.pop("stdin", subprocess.DEVNULL), stderr=subprocess.DEVNULL, **options)
    return time.monotonic() - start


def set_up():
    """From the start of the client's ssh to the end of `true` at the other end."""
    settled()
    ways = {**WAYS, "reused": reused}
    times = {way: [] for way in ways}
    for round_number in range(ROUNDS + 1):
        for way, argv in ways.items():
            took = timed(argv("true"))
            if round_number:  # the first one reads programs from the disk
                times[way].append(took * 1000)
    figures = {way: median(each) for way, each in times.items()}
    row = Row("session set-up, ssh true", "ms", figures["ours"],
              {way: figures[way] for way in ("nested ssh", "ssh -J")}, {"direct ssh": figures["direct ssh"]})
    row.at_most(0.85, figures["nested ssh"], "nested").at_most(1.0, figures["ssh -J"], "-J")
    again = Row("the same with <upstream_reuse>", "ms", figures["reused"], row.rivals, row.limit)
    again.at_most(1.3, figures["direct ssh"], "direct")
    for one in row, again:
        one.notes.append(f"median of {ROUNDS} runs each, in turn; OpenSSH's own defaults")
    return [row, again]


def browse():
    """One as_ls of a small directory, from the start of the client's ssh to its end, and one `ls -l`."""
    settled()
    asked = b'as_session_init --protocol=2\nas_ls "/etc/ssh"\nas_exit\n\n'
    commands = {"as_ls": (WAYS["ours"]("ascmd -V2"), asked), "ls -l": (WAYS["ours"]("ls -l /etc/ssh"), b"")}
    times = {name: [] for name in commands}
    for round_number in range(2 * ROUNDS + 1):
        for name, (argv, text) in commands.items():
            start = time.monotonic()
            subprocess.run(argv, check=True, input=text, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if round_number:
                times[name].append((time.monotonic() - start) * 1000)
    figures = {name: median(each) for name, each in times.items()}
    row = Row("a small directory listed", "ms", figures["as_ls"], {"ssh ls -l": figures["ls -l"]})
    row.at_most(1.05, figures["ls -l"], "ls -l")
    row.notes.append(f"as_ls in a session of protocol 2; median of {2 * ROUNDS} runs each, in turn")
    return row


def processes_of_ours():
    return [process.pid for process in DMZ.processes().values() if process.name in OURS]


class Peak(threading.Thread):
    """The most memory that our processes have, looked at ten times a second."""

    def __init__(self):
        super().__init__(daemon=True)
        self.done, self.most = threading.Event(), 0
        self.start()

    def run(self):
        while not self.done.wait(0.1):
            self.most = max(self.most, pss(processes_of_ours()))

    def end(self):
        self.done.set()
        self.join()
        return self.most


def up(argv):
    with subprocess.Popen(["head", "-c", str(MEGABYTES * 1000000), "/dev/zero"], stdout=subprocess.PIPE) as source:
        answer = subprocess.run(argv("wc -c"), stdin=source.stdout, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    assert int(answer.stdout) == MEGABYTES * 1000000, answer.stdout


def down(argv):
    with subprocess.Popen(argv(f"head -c {MEGABYTES * 1000000} /dev/zero"), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as sender:
        count = subprocess.run(["wc", "-c"], stdin=sender.stdout, stdout=subprocess.PIPE, check=True)
    assert int(count.stdout) == MEGABYTES * 1000000, count.stdout


def bulk(name, move):
    settled()
    rates = {way: [] for way in WAYS}
    peaks = []
    for _ in range(BULK_ROUNDS):
        for way, argv in WAYS.items():
            watch = Peak() if way == "ours" else None
            start = time.monotonic()
            move(argv)
            rates[way].append(MEGABYTES / (time.monotonic() - start))
            if watch:
                peaks.append(watch.end())
    figures = {way: median(each) for way, each in rates.items()}
    row = Row(f"bulk through the control channel, {MEGABYTES} MB {name}", "MB/s", figures["ours"],
              {way: figures[way] for way in ("nested ssh", "ssh -J")}, {"direct ssh": figures["direct ssh"]})
    row.notes.append(f"session set-up included; median of {BULK_ROUNDS}; most memory of our processes {max(peaks) / 1e6:.1f} MB")
    return row.at_least(1.1, figures["nested ssh"], "nested").at_least(0.9, figures["ssh -J"], "-J")


def bulk_up():
    return bulk("up", up)


def bulk_down():
    return bulk("down", down)


class Idle:
    """A session that runs `cat`."""

    def __init__(self, argv):
        self.ssh = subprocess.Popen(argv("cat"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def answers(self, seconds=60):
        try:
            self.ssh.stdin.write(b"there?\n")
            self.ssh.stdin.flush()
            return readable(self.ssh.stdout, seconds) and self.ssh.stdout.readline() == b"there?\n"
        except OSError:
            return False

    def end(self):
        with contextlib.suppress(OSError):
            self.ssh.stdin.close()
        try:
            return self.ssh.wait(30)
        except subprocess.TimeoutExpired:
            self.ssh.kill()
            self.ssh.wait()
            return None
        finally:
            self.ssh.stdout.close()


def memory():
    count = 10
    held = {}
    for way, names in ("ours", OURS), ("nested ssh", ("ssh",)):
        sessions = [Idle(WAYS[way]) for _ in range(count)]
        assert all(session.answers() for session in sessions)
        held[way] = pss(process.pid for process in DMZ.processes().values() if process.name in names) / count / 1e6
        for session in sessions:
            session.end()
    row = Row("memory per idle session, sshd apart", "MB", held["ours"], {"ssh of nested ssh": held["nested ssh"]})
    row.notes.append(f"sum of PSS on dmz with {count} sessions")
    return row.below(4, "each")
