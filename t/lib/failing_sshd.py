"""An SSH server that fails as it is told, for tests of whose fault a failure is.

  failing_sshd.py ADDRESS:PORT HOST-KEY ORDERS

It serves each connection as the file that ORDERS names says at that moment, one word (or
several with commas, each for one connection, the last for all that follow):

  before the host key   reset  close  silence  garbage  words  version
                        algorithms  other-key  kex-reset
  at the log-in         deny  partial  login-close  login-reset  login-silence  login-words  login-mute
  at the channel        session  session-close  session-silence
  at the command        exec  exec-close
  while it runs         run-close  run-reset  run-nothing
  fine                  it serves: prints "served", status 0
  fine-slow, deny-slow  as fine and deny, but each log-in takes a second, and has a line
                        "N at once"

Each log-in that reaches it is a line "login USER" in ORDERS.log.
"""
import logging
import os
import socket
import struct
import sys
import threading
import time

import paramiko
from paramiko import common, message

logging.disable(logging.CRITICAL)
under_way = []  # slow log-ins


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Server(paramiko.ServerInterface):
    def __init__(self, order, sock, log):
        self.order, self.sock, self.log, self.transport = order, sock, log, None
        self.over = threading.Event()

    def end(self, how):
        """Ends the connection in that way, from within a handler."""
        if how == "reset":
            reset(self.sock)
        elif how == "close":
            self.sock.shutdown(socket.SHUT_RDWR)
        elif how in ("words", "mute"):
            goodbye = message.Message()
            goodbye.add_byte(common.cMSG_DISCONNECT)
            goodbye.add_int(2)
            goodbye.add_string("Access denied by the owner\x1b[2J" if how == "words" else "")
            goodbye.add_string("en")
            self.transport._send_message(goodbye)
            time.sleep(0.05)
            self.sock.shutdown(socket.SHUT_RDWR)
        elif how == "silence":
            self.over.wait(30)

    def does(self, prefix):
        if self.order.startswith(prefix):
            self.end(self.order[len(prefix):])
            return True
        return False

    def get_allowed_auths(self, username):
        return "publickey,keyboard-interactive"

    # Our dialer signs at once, so a log-in is one call.
    def check_auth_publickey(self, username, key):
        with open(self.log, "a") as log:
            log.write(f"login {username}\n")
        if self.order.endswith("-slow"):
            under_way.append(self)
            with open(self.log, "a") as log:
                log.write(f"{len(under_way)} at once\n")
            time.sleep(1)
            under_way.remove(self)
        if self.order.startswith("deny") or self.does("login-"):
            return paramiko.AUTH_FAILED
        return paramiko.AUTH_PARTIALLY_SUCCESSFUL if self.order == "partial" else paramiko.AUTH_SUCCESSFUL

    def check_channel_request(self, kind, chanid):
        if self.order == "session" or self.does("session-"):
            return paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel, command):
        if self.order == "exec" or self.does("exec-"):
            return False
        threading.Thread(target=self.run, args=[channel], daemon=True).start()
        return True

    def run(self, channel):
        time.sleep(0.2)
        if self.order == "run-nothing":
            channel.close()
        elif not self.does("run-"):
            channel.sendall(b"served\n")
            channel.send_exit_status(0)
            channel.shutdown_write()
            channel.close()


def key_exchange_init(algorithm):
    """A packet in clear (RFC 4253, sections 6 and 7.1) that offers nothing else."""
    offer = struct.pack(">I", len(algorithm)) + algorithm.encode()
    payload = bytes([20]) + bytes(16) + 8 * offer + 2 * struct.pack(">I", 0) + bytes(5)
    padding = 8 - (len(payload) + 5) % 8 + 8
    return struct.pack(">IB", len(payload) + 1 + padding, padding) + payload + bytes(padding)


def serve(sock, order, key, other, log):
    if order == "reset":
        return reset(sock)
    if order == "close":
        return sock.close()
    if order == "silence":
        time.sleep(30)
        return sock.close()
    if order == "garbage":
        sock.sendall(b"\x00\xff\x1b[2J" * 300)
        time.sleep(0.1)
        return sock.close()
    if order == "words":
        sock.sendall(b"Not allowed at this time\r\n")
        return sock.close()
    if order == "version":
        sock.sendall(b"SSH-1.5-old\r\n")
        time.sleep(0.1)
        return sock.close()
    if order == "kex-reset":
        sock.sendall(b"SSH-2.0-crashes\r\n")
        time.sleep(0.1)
        return reset(sock)
    if order == "algorithms":
        sock.sendall(b"SSH-2.0-old\r\n" + key_exchange_init("diffie-hellman-group1-sha1"))
        sock.settimeout(30)
        while sock.recv(65536):
            pass
        return sock.close()
    transport = paramiko.Transport(sock)
    transport.add_server_key(other if order == "other-key" else key)
    server = Server(order, sock, log)
    server.transport = transport
    transport.start_server(server=server)
    transport.join(30)
    server.over.set()
    transport.close()


def main():
    address, port = sys.argv[1].rsplit(":", 1)
    key = paramiko.Ed25519Key.from_private_key_file(sys.argv[2])
    other = paramiko.RSAKey.generate(2048)
    orders = sys.argv[3]
    listener = socket.create_server((address, int(port)), backlog=64)
    print("listening", flush=True)
    while True:
        sock, _ = listener.accept()
        with open(orders) as file:
            order, _, rest = file.read().strip().partition(",")
        if rest:
            with open(orders, "w") as file:
                file.write(rest)

        def run():
            try:
                serve(sock, order, key, other, orders + ".log")
            except Exception:  # what is served badly is what it is for
                pass

        threading.Thread(target=run, daemon=True).start()


main()
