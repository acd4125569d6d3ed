#!/usr/bin/env python3
"""stream.py: TCP and UDP that go on and on, for tests that cut them.

  stream.py serve ADDRESS:PORT
  stream.py send NAME ADDRESS TCP-PORT UDP-PORT

serve listens on that port for both, says "listening", and prints a line for
each message: "NAME tcp NUMBER from=ADDRESS" or "NAME udp NUMBER from=ADDRESS".
send sends a message each 20 ms over one TCP connection and from one UDP port, and
goes on whatever happens; when TCP breaks it connects again, and again, and its
messages are then of NAME-again. Prints "connected" and "broken", once each.
"""
import socket
import sys
import threading
import time

EVERY = 0.02
lock = threading.Lock()


def say(*words):
    with lock:
        print(*words, flush=True)


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def split(text):
    address, _, port = text.rpartition(":")
    return address.strip("[]"), int(port)


def take(sock, peer):
    left = b""
    try:
        while data := sock.recv(65536):
            *lines, left = (left + data).split(b"\n")
            for line in lines:
                say(line.decode(errors="replace"), f"from={peer[0]}")
    except OSError:
        pass


def serve_udp(address):
    sock = socket.socket(family_of(address[0]), socket.SOCK_DGRAM)
    sock.bind(address)
    while True:
        data, peer = sock.recvfrom(65535)
        say(data.decode(errors="replace"), f"from={peer[0]}")
        sock.sendto(data, peer)


def serve(address):
    listener = socket.create_server(address, family=family_of(address[0]), backlog=100)
    threading.Thread(target=serve_udp, args=(address,), daemon=True).start()
    say("listening")
    while True:
        sock, peer = listener.accept()
        threading.Thread(target=take, args=(sock, peer), daemon=True).start()


def send_udp(name, address, port):
    sock = socket.socket(family_of(address), socket.SOCK_DGRAM)
    number = 0
    while True:
        number += 1
        try:
            sock.sendto(f"{name} udp {number}".encode(), (address, port))
        except OSError:  # an ICMP error that came for an earlier one
            pass
        time.sleep(EVERY)


def send_tcp(name, address, port):
    number = 0
    told = set()
    while True:
        try:
            sock = socket.create_connection((address, port), timeout=1)
            # Unanswered for that long, it counts as broken: dropped is not refused.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000)
            if "connected" not in told:
                told.add("connected")
                say("connected")
            while True:
                number += 1
                sock.sendall(f"{name} tcp {number}\n".encode())
                time.sleep(EVERY)
        except OSError:
            if "connected" in told and "broken" not in told:
                told.add("broken")
                say("broken")
                name += "-again"
            time.sleep(EVERY)


def main():
    if sys.argv[1] == "serve":
        serve(split(sys.argv[2]))
    name, address, tcp, udp = sys.argv[2:]
    threading.Thread(target=send_udp, args=(name, address, int(udp)), daemon=True).start()
    send_tcp(name, address, int(tcp))


if __name__ == "__main__":
    main()
