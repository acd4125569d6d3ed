#!/usr/bin/env python3
"""gap.py ADDRESS:PORT [--for S] [--every S] [--source PORT]

Sends a numbered datagram each 5 ms to something that echoes, from one source
port, for S seconds. Prints one line of JSON: sent, answers, gap_ms (the longest
time without an answer after the first), gap_at_ms (when that began), lost (of those sent before the last
answer), silent_ms (since the last answer; null: none came).
"""
import argparse
import json
import socket
import sys
import time


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("address")
    parser.add_argument("--for", dest="seconds", type=float, default=3)
    parser.add_argument("--every", type=float, default=0.005)
    parser.add_argument("--source", type=int, default=0)
    options = parser.parse_args()
    host, _, port = options.address.rpartition(":")
    host = host.strip("[]")
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("", options.source))
    sock.connect((host, int(port)))
    begin = due = time.monotonic()
    sent, heard, last, gap, gap_at, newest = 0, set(), None, 0.0, 0.0, 0
    while (now := time.monotonic()) < begin + options.seconds:
        if now >= due:
            due += options.every
            sent += 1
            try:
                sock.send(str(sent).encode())
            except OSError:  # an ICMP error that came for an earlier packet
                pass
        sock.settimeout(max(0.0005, due - time.monotonic()))
        try:
            number = int(sock.recv(100))
        except (OSError, ValueError):
            continue
        now = time.monotonic()
        if last is not None:
            if now - last > gap:
                gap, gap_at = now - last, last - begin
        last, newest = now, max(newest, number)
        heard.add(number)
    print(json.dumps({"sent": sent, "answers": len(heard), "gap_ms": round(gap * 1000), "gap_at_ms": round(gap_at * 1000),
                      "lost": newest - len(heard),
                      "silent_ms": None if last is None else round((time.monotonic() - last) * 1000)}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
