#!/usr/bin/env python3
"""asp-lease: its lines in the file of <log_directory> have a share of it, as a user's sessions have."""
import os, sys
sys.path.insert(0, sys.path[0] + "/../lib")
from lease_story import *

DIRECTORY = "/opt/log"
SHARE = f"/run/sallyport/logged/{NODE_UID}"
four = Listener("203.0.113.1")
inner = four.connect("inner")[1]
configure(extra=f"<rproxy><log_directory>{DIRECTORY}</log_directory></rproxy>")
os.mkdir(DIRECTORY, 0o755)


def in_file():
    with open(DIRECTORY + "/ascp_rproxy.log") as f:
        return f.read().splitlines()


lease = Lease()
one = leased(lease.open(inner), "a lease")
same([f"Leased lease={one['lease']}" in line for line in in_file()], [True], "is in the file")
same(os.stat(SHARE).st_size, (len(in_file()[0]) + 1 + 255) // 256, "and counts, by 256 bytes")
os.truncate(SHARE, 64 * 4096)
two = leased(lease.open(inner), "another, when 64 MiB are full")
same(len(in_file()), 1, "is not in the file")
ok(logged(f"Leased lease={two['lease']}"), "but in syslog")
ok(logged(f"the lines of uid {NODE_UID} have reached what one user may add in a day (64 MiB)"), "with the reason")
give_back(lease)
lease.end()
done()
