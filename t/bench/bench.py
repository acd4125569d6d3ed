#!/usr/bin/env python3
"""bench.py [--json FILE] [ROW...]: the rows of the benchmark, on the hosts that
`bench` raised; prints each as it comes and a table of all in the end. Exits with 1
when a goal was missed. `hostile` is measured alone. FILE - is stdout, and then the texts go to stderr.
"""
import argparse
import sys
import time

import control
import crowd
import crowded
import death
import forwarding
import hostile
import leases
import machine
import needs
import report

ROWS = {
    "udp": forwarding.one_flow,
    "setup": control.set_up,
    "browse": control.browse,
    "bulk-up": control.bulk_up,
    "bulk-down": control.bulk_down,
    "memory": control.memory,
    "death": death.conductor,
    "pinholes": crowded.all_rows,
    "lease": leases.opening,
    "crowd": crowd.all_rows,
    "hostile": hostile.all_rows,
}


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--json")
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []], metavar="ROW")
    options = parser.parse_args()
    said = sys.stderr if options.json == "-" else sys.stdout
    start = time.monotonic()
    versions = machine.versions()
    print(*(f"{name} {version}" for name, version in versions.items()), sep=", ", end="\n\n", file=said)
    rows = []
    for name in options.rows or [name for name in ROWS if name != "hostile"]:
        for row in needs.rows_of(name, ROWS[name], machine.DMZ.root, f"{machine.SOURCE}/{machine.BUILD}"):
            rows.append(row)
            print(report.text_of(row), file=said, flush=True)
    print(report.table(rows), file=said)
    print(f"\n{time.monotonic() - start:.0f} s", file=said)
    if options.json:
        text = report.as_json(versions, rows) + "\n"
        if options.json == "-":
            sys.stdout.write(text)
        else:
            with open(options.json, "w") as file:
                file.write(text)
    return 0 if all(row.verdict() != "MISSED" for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
