"""Times commands against each other: interleaved, so that whatever else the
machine does falls on all of them alike.

  interleave.py ROUNDS NAME COMMAND [NAME COMMAND]...

Each command is run by a shell, ROUNDS times and once before for nothing; it must
succeed. Prints "NAME median lowest" lines, in ms, and nothing else.
"""
import statistics
import subprocess
import sys
import time


def timed(name, command):
    begun = time.perf_counter()
    done = subprocess.run(["/bin/sh", "-c", "exec " + command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    took = (time.perf_counter() - begun) * 1000
    if done.returncode != 0:
        sys.exit(f"{name}: exit {done.returncode}: {done.stderr.decode(errors='replace')}")
    return took


def main():
    rounds = int(sys.argv[1])
    commands = list(zip(sys.argv[2::2], sys.argv[3::2]))
    took = {name: [] for name, _ in commands}
    for number in range(-1, rounds):
        # Each goes first in its turn: who follows whom is of no account then.
        turn = number % len(commands)
        for name, command in commands[turn:] + commands[:turn]:
            milliseconds = timed(name, command)
            if number >= 0:
                took[name].append(milliseconds)
    for name, _ in commands:
        print(f"{name} {statistics.median(took[name]):.1f} {min(took[name]):.1f}")


main()
