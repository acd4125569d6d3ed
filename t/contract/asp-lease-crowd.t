#!/usr/bin/env python3
"""asp-lease: 1,000 leases at a time."""
import sys
sys.path.insert(0, sys.path[0] + "/../lib")
from lease_story import *

four = Listener("203.0.113.1")
inner = four.connect("inner")[1]
lease = Lease()


def together(count, requests):
    """Answers of that many requests, 50 of them on their way at a time."""
    answers = []
    sent = 0
    while len(answers) < count:
        while sent < count and sent - len(answers) < 50:
            descriptor, fields = requests(sent)
            lease.send(descriptor, **fields)
            sent += 1
        answers.append(lease.receive())
    return answers


opened = together(1000, lambda i: (inner, ASK))
same({each["answer"] for each in opened}, {"lease"}, "1,000 leases")
same(len({each["ssh_port"] for each in opened}), 1000, "each on a port of its own")
same(set(mapped()), recorded(), "all in force")
renewals = together(1000, lambda i: (None, dict(request="renew", user="alice", lease=opened[i]["lease"])))
same({each["answer"] for each in renewals}, {"lease"}, "renewed")
same(len(lease.list(user="alice")[0]), 1000, "listed")
closed = together(1000, lambda i: (None, dict(request="close", user="alice", lease=opened[i]["lease"])))
same({each["answer"] for each in closed}, {"lease"}, "given back")
nothing_left("nothing is left of them")

lease.end()
done()
