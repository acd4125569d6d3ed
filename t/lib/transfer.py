#!/usr/bin/env python3
"""transfer.py: a client of the shape that the proxy serves, for tests.

  transfer.py USER@ADDRESS SERVER/NAME [--talk S] [--delay S] [--silent]
              [--begin T] [--port N] [--udp-port N]

Opens an SSH session that runs `cat`, and once that answers (so the pinhole is
open) sends its own name over UDP each 20 ms, from one source port, for S
seconds; then ends the session. A server (transfer.py --serve SERVER
ADDRESS:PORT) answers only what begins with its own name, as a transfer server
answers only its own sessions' packets; it prints the name of each session that
it hears from, once.

Prints one line of JSON:
  name, opened_ms (until the command answered), first_ms (from the first packet
  to the first answer; null: none), answers, foreign (answers that were not for
  us), gap_ms (longest time without an answer after the first), status (ssh's).
--delay: seconds between opening and the first packet. --silent: sends none.
--begin: the time(2) at which to start, so that several start as one.
"""
import argparse
import json
import socket
import subprocess
import sys
import time

EVERY = 0.02


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def talk(options, report):
    address = options.target.rpartition("@")[2]
    sock = socket.socket(family_of(address), socket.SOCK_DGRAM)
    if options.port:
        sock.bind(("::" if ":" in address else "0.0.0.0", options.port))
    sock.connect((address, options.udp_port))
    sock.settimeout(EVERY)
    start = time.monotonic()
    last = None
    count = 0
    while time.monotonic() - start < options.talk:
        count += 1
        text = f"{options.name} {count}"
        next_at = time.monotonic() + EVERY
        try:
            sock.send(text.encode())
        except OSError:  # an ICMP error that came for an earlier packet
            pass
        while (left := next_at - time.monotonic()) > 0:
            sock.settimeout(left)
            try:
                data = sock.recv(65535).decode()
            except OSError:
                continue
            now = time.monotonic()
            if not data.startswith(options.name + " "):
                report["foreign"] += 1
                continue
            report["answers"] += 1
            if last is None:
                report["first_ms"] = round((now - start) * 1000)
            else:
                report["gap_ms"] = max(report["gap_ms"], round((now - last) * 1000))
            last = now
    if last is not None:
        report["gap_ms"] = max(report["gap_ms"], round((time.monotonic() - last) * 1000))


def run(options):
    report = {"name": options.name, "opened_ms": None, "first_ms": None, "answers": 0,
              "foreign": 0, "gap_ms": 0, "status": None}
    time.sleep(max(0, options.begin - time.time()))
    start = time.monotonic()
    ssh = subprocess.Popen(["ssh", "-p", "33001", options.target, "cat"],
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    ssh.stdin.write(b"ready\n")
    ssh.stdin.flush()
    if ssh.stdout.readline() == b"ready\n":
        report["opened_ms"] = round((time.monotonic() - start) * 1000)
        time.sleep(options.delay)
        if options.silent:
            time.sleep(options.talk)
        else:
            talk(options, report)
    ssh.stdin.close()
    report["status"] = ssh.wait(timeout=30)
    print(json.dumps(report), flush=True)


def serve(options):
    address, _, port = options.serve[1].rpartition(":")
    address = address.strip("[]")
    sock = socket.socket(family_of(address), socket.SOCK_DGRAM)
    sock.bind((address, int(port)))
    print("listening", flush=True)
    heard = set()
    while True:
        data, peer = sock.recvfrom(65535)
        name = data.decode(errors="replace").partition(" ")[0]
        if name not in heard:
            heard.add(name)
            print(name, flush=True)
        if data.decode(errors="replace").startswith(options.serve[0] + "/"):
            sock.sendto(data, peer)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--serve", nargs=2)
    parser.add_argument("target", nargs="?")
    parser.add_argument("name", nargs="?")
    parser.add_argument("--talk", type=float, default=1)
    parser.add_argument("--delay", type=float, default=0)
    parser.add_argument("--begin", type=float, default=0)
    parser.add_argument("--silent", action="store_true")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--udp-port", type=int, default=33001)
    options = parser.parse_args()
    serve(options) if options.serve else run(options)


if __name__ == "__main__":
    sys.exit(main())
