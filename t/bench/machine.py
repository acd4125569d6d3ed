"""machine.py: the lab's hosts as the benchmark uses them, and what runs there."""
import contextlib
import os
import platform
import re
import select
import subprocess
import time

from sessions import PREFIX, Host

SOURCE = os.environ["LAB_SOURCE"]
BUILD = os.environ.get("BUILD", "build")
TRAFFIC = f"{SOURCE}/{BUILD}/bench/traffic"
OUTSIDE, DMZ, INSIDE = Host("outside"), Host("dmz"), Host("inside1")
NAME = {name: os.environ[name] for name in ("OUTSIDE", "OUTSIDE2", "DMZ", "SQUASH", "INDIVIDUAL", "INSIDE1", "DMZ_LAN")}

# Four ways from outside to a command at inside1: through the suite, as somebody
# would do without it (twice), and without a proxy.
SSH = ["ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
PLAIN = ["-F", "/dev/null"]  # OpenSSH's own defaults


def proxied(command, at="SQUASH"):
    return OUTSIDE.argv(*SSH, *PLAIN, "-p", "33001", f"bear@{NAME[at]}", command, user="bear")


def reused(command):
    """By a connection of an earlier session's (<upstream_reuse>)."""
    return proxied(command, "INDIVIDUAL")


def nested(command):
    inner = " ".join([*SSH, f"xfer@{NAME['INSIDE1']}", f"'{command}'"])
    return OUTSIDE.argv(*SSH, *PLAIN, "-p", "33001", f"jumper@{NAME['DMZ']}", inner, user="jumper")


# The host in the middle reads no options of ours: -J needs a file for them.
def jumped(command):
    return OUTSIDE.argv(*SSH, "-J", f"jumper@{NAME['DMZ']}:33001", f"xfer@{NAME['INSIDE1']}", command, user="jumper")


def direct(command):
    return OUTSIDE.argv(*SSH, *PLAIN, f"xfer@{NAME['INSIDE1']}", command, user="jumper")


WAYS = {"ours": proxied, "nested ssh": nested, "ssh -J": jumped, "direct ssh": direct}


def joined(host, *command):
    """What runs `command` in that host's network alone, among our files and with our environment."""
    return ["nsenter", "-t", str(host.holder), "-n", "--", *command]


def output(host, *command):
    return host.run(*command).stdout


def versions():
    def first(text):
        found = re.search(r"\d+[\w.:~+-]*", text)
        return found.group() if found else "?"
    package = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "libssh-4"], stdout=subprocess.PIPE, text=True).stdout
    with open("/proc/cpuinfo") as file:
        cpu = re.search(r"model name\s*: (.*)", file.read())
    return {
        "kernel": platform.release(),
        "iptables": first(output(DMZ, "iptables", "--version")),
        "nftables": first(output(DMZ, "nft", "--version")),
        "openssh": first(DMZ.run("ssh", "-V").stderr.removeprefix("OpenSSH_")),
        "libssh": package,
        "cpus": f"{os.cpu_count()} × {cpu.group(1) if cpu else platform.machine()}",
    }


@contextlib.contextmanager
def running(argv, **options):
    """A process that ends with the block."""
    process = subprocess.Popen(argv, **options)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def readable(file, seconds):
    """Whether something can be read from it in time. With select(2) it could be no more than the 1024th."""
    poll = select.poll()
    poll.register(file, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def received(host, interface):
    """IP packets that this host's interface has got so far."""
    return int(output(host, "cat", f"/sys/class/net/{interface}/statistics/rx_packets"))


def pss(pids):
    """Bytes of memory, what is shared counted in parts."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError, ProcessLookupError), open(f"/proc/{pid}/smaps_rollup") as file:
            total += int(re.search(r"^Pss:\s+(\d+)", file.read(), re.M).group(1)) * 1024
    return total


def busy_seconds():
    """CPU time that all of the machine has used."""
    with open("/proc/stat") as file:
        fields = [int(word) for word in file.readline().split()[1:]]
    return (sum(fields[:8]) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def lab_seconds():
    """CPU time that all processes of the lab have used, those that are over included."""
    ticks = 0
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat" if name.isdigit() else os.devnull) as file:
            ticks += sum(int(word) for word in file.read().rpartition(")")[2].split()[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def settled(seconds=10):
    """Waits until the machine does little, so that one row does not tax the next."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        before = busy_seconds()
        time.sleep(0.5)
        if busy_seconds() - before < 0.1:
            return
