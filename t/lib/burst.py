#!/usr/bin/env python3
"""burst.py: so many clients at once, each a real ssh.

  burst.py CLIENTS SECONDS TARGET ADDRESS...

Each logs in from the next of the ADDRESSes, runs `cat` with nothing to read, and
ends. Those that have not after SECONDS are killed. Prints, one a line:

  40 of 40 ended well
  seconds: median 2.1, longest 4.0
  3 x status 255: Connection closed by 198.51.100.39 port 33001
"""
import asyncio
import collections
import re
import resource
import sys
import time


async def client(target, address, seconds):
    began = time.monotonic()
    ssh = await asyncio.create_subprocess_exec(
        "ssh", "-b", address, "-p", "33001", target, "cat",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE)
    try:
        _, said = await asyncio.wait_for(ssh.communicate(), seconds)
    except asyncio.TimeoutError:
        ssh.kill()
        await ssh.wait()
        return "not over in time", seconds
    why = re.sub(rb"port \d+", b"port", said.strip().split(b"\n")[-1]).decode(errors="replace")
    return (f"status {ssh.returncode}: {why}" if ssh.returncode else ""), time.monotonic() - began


async def main():
    count, seconds, target, addresses = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3], sys.argv[4:]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(65536, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    ends = await asyncio.gather(*(client(target, addresses[i % len(addresses)], seconds) for i in range(count)))
    times = sorted(took for why, took in ends if not why) or [0]
    failures = collections.Counter(why for why, _ in ends if why)
    print(f"{count - sum(failures.values())} of {count} ended well")
    print(f"seconds: median {times[len(times) // 2]:.1f}, longest {times[-1]:.1f}")
    for why, number in failures.most_common(5):
        print(f"{number} x {why}")


asyncio.run(main())
