#!/usr/bin/env python3
"""flows.py ADDRESS PORT COUNT: opens COUNT UDP flows, each from a port of its own,
by one datagram each: its number. Prints how many were answered, and how long it sent.
"""
import resource
import select
import socket
import sys
import time

WAIT = 0.5  # s, for the next answer


def opened(address, port, count):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for number in range(count):
        one = socket.socket(family, socket.SOCK_DGRAM)
        one.connect((address, port))
        one.send(str(number).encode())
        yield one


def answered(sockets):
    poll = select.poll()
    waiting = {one.fileno(): one for one in sockets}
    for descriptor in waiting:
        poll.register(descriptor, select.POLLIN)
    count = 0
    while waiting and (ready := poll.poll(WAIT * 1000)):
        for descriptor, _ in ready:
            poll.unregister(descriptor)
            try:
                count += bool(waiting.pop(descriptor).recv(100))
            except OSError:  # an ICMP error
                pass
    return count


def main():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    address, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    start = time.monotonic()
    sockets = list(opened(address, port, count))
    seconds = time.monotonic() - start
    print(answered(sockets), f"{seconds:.1f}", flush=True)


if __name__ == "__main__":
    main()
