#!/usr/bin/env python3
"""Leases in a cluster: of garbage in Redis only what is a lease that may be is laid."""
import sys, time
sys.path.insert(0, sys.path[0] + "/../lib")
from cluster_story import *

masters(one)
good = good_record()
one.asperaproxy("standby")
two.asperaproxy("standby")
redis.cli("FLUSHALL")
valid = store(1, edit(good, 1))
valid2 = store(99, edit(good, 99))
bad = [store(10, ""), store(11, "garbage"), store(12, "x" * 9000), store(13, edit(good, 13, "address", "127.0.0.1")), store(14, edit(good, 14, "address", "203.0.113.5")),
       store(15, edit(good, 15, "proxy", "203.0.113.9")), store(16, edit(good, 16, "user", "../../../tmp")), store(17, edit(good, 17, "lifetime", "99999999999999")),
       store(18, edit(good, 18, "client", "203.0.113.1")), store(19, edit(good, 19, "lease", "00000000-0000-4000-8000-000000000001")),
       store(20, edit(good, 20, "destination", "a b")), store(21, edit(good, 21, "renew_seconds", "-1")), store(22, edit(good, 22, "started", "x" * 4000)),
       store(23, edit(good, 23, "udp_ports", "1:65535")), store(24, edit(good, 24, "proxy", "2001:db8:2::5")), store(25, edit(good, 25, "address", "169.254.1.1")),
       store(300, edit(good, 300)), store(1000, edit(good, 1000))]
same_port = store(50, edit(good, 1))
redis.cli("SET", "sallyport:lease:00000000-0000-4000-8000-000000000077", "a string")
redis.cli("RPUSH", "sallyport:lease:../../etc/passwd", "x")
redis.cli("HSET", "sallyport:lease-next", "a", "b")
redis.cli("HSET", "sallyport:lease-master", "a", "b")
redis.cli("RPUSH", "sallyport:lease-port:5002", "x")
short = store(60, edit(good, 60))
redis.cli("PEXPIRE", "sallyport:lease:" + short, "1")
time.sleep(0.05)
one.asperaproxy("takeover")
found = one.elements()
same(found - {same_port, valid}, {valid2}, "of much garbage only what is a lease that may be is laid")
ok(len(found & {same_port, valid}) == 1, "of two with one port, one")
ok(short not in found, "one whose time was over in Redis is not")
same(one.role(), "informed", "and it did not stop the master")
ok(logged("not put in force"), "the log says what was not laid, and why")
same(leases_of(redis) - found, set(), "what cannot be is removed from Redis")
more = leased(one.service.open(inner), "and there are new leases")
ok(int(more["ssh_port"]) != 5002, "none with a port that something else has there")
names = one.run("ls", "/run/sallyport/lease_owners")[1].split()
same(names, ["user=alice"], "no name of a user led elsewhere")

# The policy of aspera.conf holds for what comes from others.
one.asperaproxy("standby")
configure(5000, 5200, "<denied_destinations>198.51.100.50</denied_destinations>")
two.asperaproxy("takeover")
same(two.elements(), set(), "what aspera.conf denies here is not laid, whoever leased it")

done()
