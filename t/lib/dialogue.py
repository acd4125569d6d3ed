"""dialogue.py QUESTIONS COMMAND...: runs the command on a terminal of its own, and answers: QUESTIONS has a line for
each, "question<tab>answer"; "..." in a question stands for anything. An answer is typed when its question has been seen, after the one before. What the
terminal shows goes to stdout. Status: the command's; 70 when a question does not come within two minutes."""
import os
import pty
import re
import select
import sys
import time


def main(questions, argv):
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(argv[0], argv)
    pending = [line.split("\t") for line in questions.split("\n") if line]
    patterns = [re.compile(".*?".join(map(re.escape, question.split("...")))) for question, _ in pending]
    seen, until = "", time.monotonic() + 120
    while True:
        if not select.select([terminal], [], [], max(0, until - time.monotonic()))[0]:
            print(f"\ndialogue: not asked: {pending[0][0] if pending else 'nothing, and it does not end'}")
            return 70
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            piece = b""
        if not piece:
            break
        os.write(1, piece)
        seen += piece.decode(errors="replace")
        if pending and (asked := patterns[-len(pending)].search(seen)):
            seen = seen[asked.end():]
            os.write(terminal, (pending.pop(0)[1] + "\n").encode())
            until = time.monotonic() + 120
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF
    if pending:
        print(f"\ndialogue: not asked: {pending[0][0]}")
        return status or 70
    return status


sys.exit(main(sys.argv[1], sys.argv[2:]))
