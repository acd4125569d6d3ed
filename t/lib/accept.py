#!/usr/bin/env python3
"""accept.py PATH [COMMAND...]: as a socket unit of systemd's with Accept=yes: listens at PATH, for root alone, and
starts COMMAND for each connection, which is its standard input and output, and nobody hears its
complaints; without COMMAND, as one with too many connections, which it closes. Says "listens" once it does."""
import os, signal, socket, subprocess, sys

path, *command = sys.argv[1:]
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.umask(0o177)
if os.path.exists(path):
    os.unlink(path)
listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind(path)
listener.listen()
os.umask(0o022)
print("listens", flush=True)
while True:
    connection = listener.accept()[0]
    if command:
        subprocess.Popen(command, stdin=connection, stdout=connection, stderr=subprocess.DEVNULL)
    connection.close()
