"""forwarding.py: how many UDP packets of one flow get from outside to inside1."""
import contextlib
import subprocess
import time

from machine import DMZ, INSIDE, NAME, OUTSIDE, TRAFFIC, received, running, settled
from report import Row, median
from sessions import Session

ROUNDS = 12
BYTES = 1400
SECONDS = 0.6
NGINX = """
load_module modules/ngx_stream_module.so;
worker_processes auto; daemon off; pid /run/bench-nginx.pid; error_log stderr warn;
events {{ worker_connections 1024; }}
stream {{
  server {{ listen {DMZ}:34000 udp reuseport; proxy_pass {INSIDE1}:34000; proxy_responses 0; proxy_timeout 5s; }}
}}
"""


def rate(source, target):
    """Packets a second that arrive at inside1."""
    before, start = received(INSIDE, "lan"), time.monotonic()
    sent = subprocess.run(OUTSIDE.argv(TRAFFIC, "one", source, target, str(BYTES), str(SECONDS)), check=True, stdout=subprocess.PIPE)
    assert sent.stdout
    # What a proxy in user space still holds arrives a little later, or never.
    time.sleep(0.1)
    return (received(INSIDE, "lan") - before) / (time.monotonic() - start - 0.1)


def pinned_session():
    """A session whose pinhole has learned its flow, and that flow's source."""
    session = Session(OUTSIDE, "bear", 1)
    assert session.opened()
    source = f"{NAME['OUTSIDE']}:{session.udp.getsockname()[1]}"
    end = time.monotonic() + 10
    while "--sport" not in DMZ.run("iptables", "-w", "-t", "nat", "-S").stdout:
        session.send("first")
        time.sleep(0.05)
        assert time.monotonic() < end, "the pinhole learned no flow"
    session.udp.close()  # traffic takes its port
    return session, source


@contextlib.contextmanager
def rules(host, *each):
    """Has these rules of iptables in front of all others while the block runs."""
    for words in each:
        assert host.run("iptables", "-w", *words).returncode == 0
    try:
        yield
    finally:
        for words in each:
            host.run("iptables", "-w", *["-D" if word == "-I" else word for word in words])


def static_nat(port):
    """What it costs the kernel to translate both addresses, whoever asks for it."""
    return rules(DMZ, ["-t", "nat", "-I", "PREROUTING", "-p", "udp", "-d", NAME["DMZ"], "--dport", str(port), "-j", "DNAT", "--to-destination", NAME["INSIDE1"]],
                 ["-t", "nat", "-I", "POSTROUTING", "-p", "udp", "-d", NAME["INSIDE1"], "--dport", str(port), "-j", "MASQUERADE"])


def silent_server():
    """Nobody reads what arrives, and nobody answers it: neither a server, as there is one
    behind the pinhole alone, nor ICMP."""
    return rules(INSIDE, ["-I", "INPUT", "-p", "udp", "-j", "DROP"])


def in_turn(ways, number):
    """Each goes first once: who follows whom is of no account then."""
    ways = list(ways.items())
    first = number % len(ways)
    return ways[first:] + ways[:first]


def one_flow():
    conf = f"{DMZ.root}/etc/bench-nginx.conf"
    with open(conf, "w") as file:
        file.write(NGINX.format(**NAME))
    session, source = pinned_session()
    ways = {
        "ours": (source, f"{NAME['SQUASH']}:33001"),
        "nginx stream": (f"{NAME['OUTSIDE']}:34001", f"{NAME['DMZ']}:34000"),
        "static NAT": (f"{NAME['OUTSIDE']}:34003", f"{NAME['DMZ']}:34003"),
        "routing": (f"{NAME['OUTSIDE']}:34002", f"{NAME['INSIDE1']}:34002"),
    }
    rates = {way: [] for way in ways}
    with static_nat(34003), silent_server(), running(DMZ.argv("nginx", "-c", "/etc/bench-nginx.conf"), stderr=subprocess.DEVNULL):
        time.sleep(0.5)
        settled()
        for number in range(ROUNDS):
            for way, (start, target) in in_turn(ways, number):
                rates[way].append(rate(start, target))
    session.end()
    figures = {way: median(each) for way, each in rates.items()}
    row = Row("UDP forwarding, one flow, 1400 bytes", "packets/s", figures["ours"],
              {"nginx stream": figures["nginx stream"]}, {"routing": figures["routing"], "static NAT": figures["static NAT"]})
    row.notes.append(f"{figures['ours'] * BYTES * 8 / 1e9:.2f} Gbit/s; median of {ROUNDS} rounds of {SECONDS:g} s each, in turn")
    return row.at_least(0.95, figures["routing"], "routing").at_least(2.5, figures["nginx stream"], "nginx")
