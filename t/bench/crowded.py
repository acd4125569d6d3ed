"""crowded.py: what 10,000 open pinholes cost the next one, and the packets; by
pinholes.py, which makes namespaces of its own.
"""
import json
import os
import subprocess
import sys

from machine import BUILD, SOURCE, settled
from report import Row

MANY = 10000
BACKENDS = ("iptables", "nftables")
LATENCY = {"open_ms": "opening", "close_ms": "closing"}
RATES = {"new_flows": "new flows", "unmatched": "packets that no pinhole takes"}


def measured():
    """{(backend, others): what pinholes.py says of it}."""
    argv = [sys.executable, f"{SOURCE}/t/bench/pinholes.py", "--build", f"{SOURCE}/{BUILD}", "--json", "--counts", f"0,1000,{MANY}", *BACKENDS]
    lines = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, env=os.environ).stdout.splitlines()
    return {(row["backend"], row["others"]): row for row in map(json.loads, lines)}


def rows():
    settled()
    rows_by = measured()
    for backend in BACKENDS:
        for field, name in LATENCY.items():
            at = {others: rows_by[backend, others][field] for others in (0, 1000, MANY)}
            row = Row(f"{name} a pinhole beside {MANY:,}, {backend}", "ms", at[MANY], {"one chain": rows_by["one chain", MANY][field]}, {"beside 0": at[0]})
            row.notes.append(f"beside 1,000: {at[1000]:.1f} ms; one chain is iptables-restore alone")
            yield row.at_most(2, at[0], "beside 0")
        for field, name in RATES.items():
            free = rows_by["none", 0][field]
            row = Row(f"{name} with {MANY:,} pinholes, {backend}", "packets/s", rows_by[backend, MANY][field],
                      {"one chain": rows_by["one chain", MANY][field]}, {"no rules": free})
            row.notes.append(f"IPv6; with none {rows_by[backend, 0][field]:,.0f}, with 1,000 {rows_by[backend, 1000][field]:,.0f}; each packet is a new flow")
            yield row.at_least(0.9, free, "no rules")


def all_rows():
    return list(rows())
