#!/usr/bin/env python3
"""dns.py: a name server whose answers change, for tests.

  dns.py ADDRESS:PORT NAMES

NAMES is a file, read anew at each question. A line is a name and what is
answered to the first question about it, to the second, and so on; the last
stands for all later ones:

  fickle.example.net  198.51.100.50 127.0.0.1
  two.example.net     198.51.100.50,198.51.100.51
  slow.example.net    wait:3,198.51.100.50
  silent.example.net  nothing

Addresses that belong together are parted by commas; only those of the family
that is asked for are in the answer. Questions for A and AAAA count apart.
`nothing` is not an answer at all. A name that is not there does not exist, and a
line that was changed counts from its beginning. Prints "listening", then one
line for each question: name, type, answer.
"""
import ipaddress
import socket
import struct
import sys
import threading
import time

A, AAAA = 1, 28
asked = {}
lock = threading.Lock()


def question(packet):
    """(name, type, the question as it stands in the packet)."""
    labels, at = [], 12
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode("ascii", "replace"))
        at += 1 + packet[at]
    at += 1
    return ".".join(labels).lower(), struct.unpack("!H", packet[at:at + 2])[0], packet[12:at + 4]


def turn(names, name, kind):
    """What is to be said this time: text, or None for a name that is not there."""
    with open(names) as file:
        lines = [line.split() for line in file if line.strip()]
    for line in lines:
        if line[0] == name:
            key = (tuple(line), kind)
            count = asked[key] = asked.get(key, 0) + 1
            return line[min(count, len(line) - 1)]
    return None


def reply(packet, text, kind, asked_for):
    addresses = []
    for item in (text or "").split(","):
        if item.startswith("wait:"):
            time.sleep(float(item[5:]))
        elif item:
            addresses.append(ipaddress.ip_address(item))
    records = [a.packed for a in addresses if (a.version, kind) in ((4, A), (6, AAAA))]
    code = 3 if text is None else 0
    head = packet[:2] + struct.pack("!HHHHH", 0x8580 | code, 1, len(records), 0, 0)
    return head + asked_for + b"".join(
        b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, len(data)) + data for data in records)


def answer(sock, packet, peer, names):
    name, kind, asked_for = question(packet)
    with lock:
        text = turn(names, name, kind)
        print(name, {A: "A", AAAA: "AAAA"}.get(kind, kind), text or "-", flush=True)
    if text != "nothing":
        sock.sendto(reply(packet, text, kind, asked_for), peer)


def main():
    address, _, port = sys.argv[1].rpartition(":")
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, int(port)))
    print("listening", flush=True)
    while True:
        packet, peer = sock.recvfrom(4096)
        threading.Thread(target=answer, args=(sock, packet, peer, sys.argv[2]), daemon=True).start()


if __name__ == "__main__":
    main()
