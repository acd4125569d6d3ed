#!/usr/bin/env python3
"""attackers.py KIND [ARGUMENT...]: one attacker of hostile.py, until it or its parent ends:
a session of sshd's ends nothing that is silent. Prints "begun" once it is at work. It runs on
the host, and as the user, whose part it plays.

  connections ADDRESS PORT COUNT     idle TCP connections, made anew when they are closed
  syns ADDRESS PORT NETWORK RATE     TCP SYNs from addresses of NETWORK, a /24, that nobody has
  datagrams ADDRESS PORT SOURCE RATE UDP from all ports of SOURCE, which may be somebody else's
  flows ADDRESS PORT RATE SSH...     a session, and UDP flows through its pinhole, from all ports
  sessions COUNT SSH...              that many loops of a whole session
  held COUNT SSH...                  that many sessions that stay, tried anew when refused
  helpers COUNT HELPER               root's helpers, which are not told anything
  garbage COUNT HELPER               loops of a helper that is told nonsense
  lines RATE                         lines to syslog
  requests ADDRESS PORT COUNT        loops of requests to the node API with a wrong password
"""
import base64
import contextlib
import ctypes
import http.client
import itertools
import os
import random
import resource
import signal
import socket
import struct
import subprocess
import sys
import syslog
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../lib")
import forge

PAUSE = 0.01  # s, before what failed is tried again
PR_SET_PDEATHSIG = 1


def begun():
    print("begun", flush=True)


def at_rate(rate, send):
    begun()
    forge.at_rate(rate, None, send)


def forever(count, work):
    """So many threads, each doing `work` again and again, whatever it says."""
    def loop():
        while True:
            try:
                work()
            except (OSError, subprocess.SubprocessError, http.client.HTTPException):
                time.sleep(PAUSE)
    threads = [threading.Thread(target=loop, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    begun()
    threads[0].join()


def connections(address, port, count):
    def hold():
        with socket.create_connection((address, int(port)), timeout=5) as held:
            held.settimeout(None)
            while held.recv(4096):  # the banner, and then nothing until sshd has had enough
                pass
    forever(int(count), hold)


def syns(address, port, network, rate):
    send = forge.sender(address)
    prefix = network.rpartition(".")[0]

    def one():
        source = f"{prefix}.{random.randrange(100, 250)}"
        tcp = struct.pack(">HHIIBBHHH", random.randrange(1024, 65536), int(port), random.getrandbits(32), 0, 0x50, 2, 64000, 0, 0)
        pseudo = struct.pack(">4s4sBBH", socket.inet_aton(source), socket.inet_aton(address), 0, 6, len(tcp))
        tcp = tcp[:16] + struct.pack(">H", forge.checksum(pseudo + tcp)) + tcp[18:]
        send(forge.packet(source, address, 6, tcp))
    at_rate(int(rate), one)


def datagrams(address, port, source, rate):
    send = forge.sender(address)
    ports = itertools.cycle(range(1024, 65536))
    at_rate(int(rate), lambda: send(forge.udp((source, next(ports)), (address, int(port)), b"junk")))


def flows(address, port, rate, *ssh):
    with subprocess.Popen(ssh, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as session:
        session.stdin.write(b"open\n")
        session.stdin.flush()
        assert session.stdout.readline() == b"open\n"  # `cat` runs, and so the pinhole is open
        ports = itertools.cycle(range(1024, 65536))

        def send():
            with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
                one.bind(("", next(ports)))
                one.sendto(b"inside1/junk", (address, int(port)))
        at_rate(int(rate), send)


def sessions(count, *ssh):
    forever(int(count), lambda: subprocess.run(ssh, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                               stderr=subprocess.DEVNULL, check=False, timeout=60))


def held(count, *ssh):
    def hold():
        with subprocess.Popen(ssh, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as session:
            session.wait()
        time.sleep(0.1)
    forever(int(count), hold)


def helpers(count, helper):
    def start():
        with subprocess.Popen(["sudo", "-n", helper], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
            started.wait()
    forever(int(count), start)


def garbage(count, helper):
    def tell():
        subprocess.run(["sudo", "-n", helper], input=b"session=x\n\n", stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False, timeout=60)
    forever(int(count), tell)


def lines(rate):
    syslog.openlog("hostile", syslog.LOG_PID, syslog.LOG_AUTH)
    at_rate(int(rate), lambda: syslog.syslog("x" * 900))


def requests(address, port, count):
    wrong = {"Authorization": "Basic " + base64.b64encode(b"nobody:wrong").decode()}

    def ask():
        connection = http.client.HTTPConnection(address, int(port), timeout=10)
        try:
            connection.request("GET", "/proxy/leases", headers=wrong)
            connection.getresponse().read()
        finally:
            connection.close()
    forever(int(count), ask)


def main():
    kinds = {each.__name__: each for each in (connections, syns, datagrams, flows, sessions, held, helpers, garbage, lines, requests)}
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    os.nice(19)  # in the field their machine is another one
    kinds[sys.argv[1]](*sys.argv[2:])


if __name__ == "__main__":
    main()
