#!/usr/bin/env python3
"""gap.py [--tcp | --visit] ADDRESS:PORT [--for S] [--every S]
gap.py --serve [--tcp] ADDRESS:PORT

Sends a numbered packet each 5 ms to something that echoes (--serve does), from
one source port, for S seconds, or else until SIGTERM. Each tenth of a second, and
at the end, prints one line of JSON: sent, answers, gap_ms (the longest time
without an answer after the first), gap_at_ms (when that began), lost (of those
sent before the newest answer), silent_ms (since the last answer; null: none came).
With --tcp it is one connection; what is not answered at its end counts as lost.
With --visit each is a connection of its own, and its answer that it is taken: how soon
sshd(8) then says its banner depends on what else the machine does.
"""
import argparse
import json
import signal
import socket
import sys
import threading
import time

SIZE = 8  # bytes of a number
REPORT = 0.1  # seconds between lines


class Record:
    """When answers came, and which."""

    def __init__(self, seconds):
        self.begin = self.shown = time.monotonic()
        self.end = self.begin + seconds
        signal.signal(signal.SIGTERM, self.stop)
        self.last = None
        self.gap = self.gap_at = 0.0
        self.heard = set()
        self.sent = 0

    def answer(self, number):
        now = time.monotonic()
        if self.last is not None and now - self.last > self.gap:
            self.gap, self.gap_at = now - self.last, self.last - self.begin
        self.last = now
        self.heard.add(number)

    def stop(self, *_):
        self.end = 0

    def over(self, now):
        return now >= self.end

    def report(self, lost):
        """Now and then."""
        if time.monotonic() - self.shown > REPORT:
            self.show(lost())
            self.shown = time.monotonic()

    def show(self, lost):
        silent = None if self.last is None else round((time.monotonic() - self.last) * 1000)
        print(json.dumps({"sent": self.sent, "answers": len(self.heard), "gap_ms": round(self.gap * 1000),
                          "gap_at_ms": round(self.gap_at * 1000), "lost": lost, "silent_ms": silent}), flush=True)


def address_of(text):
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def family_of(address):
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET


def udp(options):
    sock = socket.socket(family_of(options.address), socket.SOCK_DGRAM)
    sock.connect(options.address)
    record = Record(options.seconds)
    due = record.begin

    def lost():
        return max(record.heard, default=0) - len(record.heard)

    while not record.over(now := time.monotonic()):
        if now >= due:
            due += options.every
            record.sent += 1
            try:
                sock.send(b"%*d" % (SIZE, record.sent))
            except OSError:  # an ICMP error that came for an earlier packet
                pass
        sock.settimeout(max(0.0005, due - time.monotonic()))
        try:
            record.answer(int(sock.recv(100)))
        except (OSError, ValueError):
            pass
        record.report(lost)
    record.show(lost())


def tcp(options):
    sock = socket.create_connection(options.address)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    record = Record(options.seconds)

    def lost():
        return record.sent - len(record.heard)

    def listen():
        buffer = b""
        try:
            while data := sock.recv(65536):
                buffer += data
                while len(buffer) >= SIZE:
                    record.answer(int(buffer[:SIZE]))
                    buffer = buffer[SIZE:]
        except OSError:
            pass

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        while not record.over(time.monotonic()):
            record.sent += 1
            sock.sendall(b"%*d" % (SIZE, record.sent))
            record.report(lost)
            time.sleep(options.every)
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    listener.join(timeout=10)
    record.show(lost())


def visit(options):
    patience = 0.1  # seconds; a repeated SYN would come after one
    record = Record(options.seconds)

    def lost():
        return record.sent - len(record.heard)

    while not record.over(now := time.monotonic()):
        record.sent += 1
        try:
            with socket.create_connection(options.address, timeout=patience):
                record.answer(record.sent)
        except OSError:
            pass
        record.report(lost)
        time.sleep(max(0, now + options.every - time.monotonic()))
    record.show(lost())


def serve(options):
    if not options.tcp:
        sock = socket.socket(family_of(options.address), socket.SOCK_DGRAM)
        sock.bind(options.address)
        print("listening", flush=True)
        while True:
            data, peer = sock.recvfrom(100)
            sock.sendto(data, peer)
    server = socket.create_server(options.address, family=family_of(options.address))
    print("listening", flush=True)
    while True:
        threading.Thread(target=echo, args=(server.accept()[0],), daemon=True).start()


def echo(sock):
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with sock:
        try:
            while data := sock.recv(65536):
                sock.sendall(data)
        except OSError:
            pass


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("address", type=address_of)
    parser.add_argument("--for", dest="seconds", type=float, default=float("inf"))
    parser.add_argument("--every", type=float, default=0.005)
    parser.add_argument("--tcp", action="store_true")
    parser.add_argument("--visit", action="store_true")
    parser.add_argument("--serve", action="store_true")
    options = parser.parse_args()
    if options.serve:
        serve(options)
    else:
        (visit if options.visit else tcp if options.tcp else udp)(options)


if __name__ == "__main__":
    sys.exit(main())
