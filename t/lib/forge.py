#!/usr/bin/env python3
"""forge.py SOURCE:PORT ADDRESS:PORT TEXT [--ports N] [--rate N] [--for S]: UDP datagrams from
an address that is somebody else's; as root.

Without --rate, one from each of N ports, from PORT on; with it so many a second, from these
ports in turn, for S seconds or until it is killed. IPv6 addresses are written [2001:db8::1]:5001.
"""
import argparse
import ipaddress
import itertools
import socket
import struct
import sys
import time

PAUSE = 0.01  # s, between the batches of what is sent at a rate


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(source, target, protocol, payload):
    """An IP packet, without options."""
    source, target = ipaddress.ip_address(source), ipaddress.ip_address(target)
    if source.version == 6:
        head = struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64)
    else:
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0)
    return head + source.packed + target.packed + payload


def udp(source, target, text):
    """A datagram between two ends, each an address and a port, in its packet."""
    head = struct.pack(">HHH", source[1], target[1], 8 + len(text))
    pseudo = b"".join(ipaddress.ip_address(end[0]).packed for end in (source, target)) + struct.pack(">IHBB", 8 + len(text), 0, 0, 17)
    return packet(source[0], target[0], 17, head + struct.pack(">H", checksum(pseudo + head + b"\0\0" + text) or 0xFFFF) + text)


def sender(address):
    """What sends a packet to that address; what cannot be sent is lost."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    raw = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
    raw.setblocking(False)

    def send(whole):
        try:
            raw.sendto(whole, (address, 0))
        except OSError:  # a full queue, an ICMP error
            pass
    return send


def at_rate(rate, seconds, send):
    """Calls `send` so often each second, as well as it goes."""
    start, sent = time.monotonic(), 0
    while seconds is None or time.monotonic() < start + seconds:
        for _ in range(max(0, int((time.monotonic() - start) * rate) - sent)):
            send()
            sent += 1
        time.sleep(PAUSE)


def end(text):
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("source", type=end)
    parser.add_argument("target", type=end)
    parser.add_argument("text")
    parser.add_argument("--ports", type=int, default=1)
    parser.add_argument("--rate", type=int)
    parser.add_argument("--for", dest="seconds", type=float)
    options = parser.parse_args()
    send = sender(options.target[0])
    packets = [udp((options.source[0], options.source[1] + n), options.target, options.text.encode()) for n in range(options.ports)]
    if options.rate is None:
        for each in packets:
            send(each)
        return
    turn = itertools.cycle(packets)
    at_rate(options.rate, options.seconds, lambda: send(next(turn)))


if __name__ == "__main__":
    sys.exit(main())
