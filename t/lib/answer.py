#!/usr/bin/env python3
"""answer.py QUESTION ANSWER COMMAND...: run it on a terminal of its own, and type ANSWER once the terminal shows
QUESTION (a regular expression). What the terminal showed goes to our standard output; the status is the command's."""
import os
import pty
import re
import select
import sys
import time

question, answer, command = sys.argv[1], sys.argv[2], sys.argv[3:]
child, terminal = pty.fork()
if child == 0:
    os.execvp(command[0], command)
shown, answered, end = b"", False, time.monotonic() + 60
while time.monotonic() < end:
    if not select.select([terminal], [], [], 0.2)[0]:
        continue
    try:
        more = os.read(terminal, 4096)
    except OSError:  # the command has ended
        break
    if not more:
        break
    shown += more
    if not answered and re.search(question, shown.decode(errors="replace")):
        os.write(terminal, answer.encode() + b"\n")
        answered = True
else:
    os.kill(child, 9)
sys.stdout.write(shown.decode(errors="replace").replace("\r\n", "\n"))
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status) & 0xFF)
