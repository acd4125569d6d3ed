#!/usr/bin/env python3
"""udp.py: send and receive UDP datagrams, as text.

  udp.py send SOURCE[:PORT] ADDRESS:PORT TEXT [--count N] [--interval S] [--wait-reply S]
  udp.py recv ADDRESS:PORT [--for S] [--count N]
  udp.py echo ADDRESS:PORT [--for S]

IPv6 addresses with a port are written [2001:db8::1]:33001. recv and echo print
"listening ADDRESS:PORT" once bound, then "from=ADDRESS:PORT text" for each
datagram; echo sends it back. {n} in TEXT is the datagram's number, from 1.
With --wait-reply, send prints the replies of that many seconds, at most as many
as it sent, and exits with 1 when there was none. recv --count exits with 1 when
fewer came.
"""
import argparse
import contextlib
import socket
import sys
import time


def parse(text):
    """'192.0.2.1', '192.0.2.1:7', '2001:db8::1' or '[2001:db8::1]:7' as a pair."""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        return host, int(port[1:] or 0)
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return host, int(port)
    return text, 0


def show(address):
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def bound(address):
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.bind(address)
    return sock


def receive(sock, seconds, count, answer=False):
    """Prints what comes; returns how many came. None: without limit."""
    seen = 0
    end = None if seconds is None else time.monotonic() + seconds
    while count is None or seen < count:
        if end is not None:
            left = end - time.monotonic()
            if left <= 0:
                break
            sock.settimeout(left)
        try:
            data, peer = sock.recvfrom(65535)
        except TimeoutError:
            break
        seen += 1
        print(f"from={show(peer)} {data.decode(errors='replace')}", flush=True)
        if answer:
            with contextlib.suppress(OSError):  # there is no way back
                sock.sendto(data, peer)
    return seen


def send(options):
    sock = bound(parse(options.source))
    for n in range(1, options.count + 1):
        if n > 1:
            time.sleep(options.interval)
        sock.sendto(options.text.replace("{n}", str(n)).encode(), parse(options.address))
    if options.wait_reply is None:
        return 0
    return 0 if receive(sock, options.wait_reply, options.count) else 1


def listen(options):
    sock = bound(parse(options.address))
    print(f"listening {options.address}", flush=True)
    seen = receive(sock, options.seconds, options.count, options.what == "echo")
    return 1 if options.count is not None and seen < options.count else 0


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    what = parser.add_subparsers(dest="what", required=True)
    sender = what.add_parser("send")
    sender.add_argument("source")
    sender.add_argument("address")
    sender.add_argument("text")
    sender.add_argument("--count", type=int, default=1)
    sender.add_argument("--interval", type=float, default=0.01)
    sender.add_argument("--wait-reply", type=float)
    for name in "recv", "echo":
        listener = what.add_parser(name)
        listener.add_argument("address")
        listener.add_argument("--for", dest="seconds", type=float)
        listener.add_argument("--count", type=int)
    options = parser.parse_args()
    return send(options) if options.what == "send" else listen(options)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
