"""Reads the proxy's log (<log_level> 2) on stdin; prints the median length of each
step of a session, as a table. Steps follow one another, but for those in brackets,
which are parts of the step before."""
import datetime
import re
import statistics
import sys

# What ends each step: a pattern of its log line.
STEPS = [
    ("session begins, aspera.conf, sudo starts", r"ascp_rproxy.*DBG2 Runs: .*asp-upstream"),
    ("sudo, asp-upstream loads and verifies", r"asp-upstream.*DBG1 Tries server"),
    ("asp-dial loads and connects, or the keeper answers", r"ascp_rproxy.*DBG2 asp-upstream: connected"),
    ("the pinhole opens", r"ascp_rproxy.*DBG2 asp-pinhole: open"),
    ("the internal server starts the command", r"ascp_rproxy.*DBG2 asp-upstream: running"),
    ("the command runs", r"ascp_rproxy.*DBG2 asp-upstream: ended"),
    ("counters are read", r"ascp_rproxy.*DBG2 asp-pinhole: closed"),
    ("rule and flows are revoked", r"ascp_rproxy.*LOG Connection closed"),
]
BEGIN = r"ascp_rproxy.*LOG Received connection request"


def main():
    moments = {}
    parts = {"[handshake]": [], "[login]": []}
    for line in sys.stdin:
        found = re.search(r"session=([0-9a-f-]{36})", line)
        if not found:
            continue
        when = datetime.datetime.fromisoformat(line.split(" ", 1)[0]).timestamp() * 1000
        session = moments.setdefault(found.group(1), {})
        for name, pattern in [("begin", BEGIN)] + STEPS:
            if re.search(pattern, line):
                session.setdefault(name, when)
        for word, name in (("handshake_ms", "[handshake]"), ("login_ms", "[login]")):
            value = re.search(rf"asp-upstream: connected .*{word}=(\d+)", line)
            if value:
                parts[name].append(int(value.group(1)))
    whole = [m for m in moments.values() if len(m) == len(STEPS) + 1]
    if not whole:
        sys.exit("no whole session in the log")
    print("| step | median |\n| --- | --- |")
    for index, (name, _) in enumerate(STEPS):
        before = STEPS[index - 1][0] if index else "begin"
        print(f"| {name} | {statistics.median(m[name] - m[before] for m in whole):.0f} |")
        if name.startswith("asp-dial"):
            for part, values in parts.items():
                print(f"| {part} | {statistics.median(values):.0f} |")
    last = STEPS[-1][0]
    print(f"| all | {statistics.median(m[last] - m['begin'] for m in whole):.0f} |\n({len(whole)} sessions)")


main()
