#!/usr/bin/env python3
"""sallyport-errors(7) has each sentence that a user of the proxy can read, in the words of the source, and no other."""
import glob
import re
import sys

sys.path.insert(0, sys.path[0] + "/../lib")
from verdicts import done, ok

SESSIONS = ["cmd/%s/*.cc" % name for name in "ascp_rproxy aspshell asp-upstream asp-dial asp-pinhole".split()]
SESSIONS += ["lib/base/tool.cc", "lib/balance/*.cc", "lib/session/*.cc", "lib/who/*.cc", "lib/ssh/*.cc", "lib/firewall/*.cc"]
LEASES = ["cmd/asperanoded/*.cc", "cmd/asp-lease/*.cc", "lib/config/destination_policy.cc"]
# What only a program that speaks HTTP by itself can be told, or what names the fault itself.
OTHERS = re.compile(r"There is no such resource|Only these methods are allowed|The body has more|Content-Type must|Metrics are for"
                    r"|A lease has at most|The body is|is not valid|Port .* is not permitted")


def source(patterns):
    for pattern in patterns:
        assert glob.glob(pattern), pattern
        for path in glob.glob(pattern):
            with open(path) as file:
                yield re.sub(r'"\s*\n\s*"', "", file.read())


def plain(text):
    """{0}, {} and the like are all {}, also two of them in a row."""
    return re.sub(r"(\{[^}]*\})+", "{}", text)


def of_sessions():
    for text in source(SESSIONS):
        for said in re.findall(r'"([A-Z](?:[^"\\\n]|\\.)*\.)"', text):
            if " " in said:
                yield plain(said)
        for said in re.findall(r'tell\("([A-Z][^"]*: )" \+', text):
            yield said + "{}"


def of_leases():
    for text in source(LEASES):
        for said in re.findall(r'(?:Refusal\s*\w*\s*[({]|refuse\(\{)\s*"[a-z_]+",\s*(?:[^";]*\?\s*)?(?:fmt::format\()?"((?:[^"\\\n]|\\.)*)"', text):
            if not OTHERS.search(said):
                yield plain(said)
        for said in re.findall(r'refused\(\s*fmt::format\("([^"]*)"', text):
            yield plain(said)


def of_page():
    with open("man/sallyport-errors.7") as file:
        page = file.read().split(".Ss If there is no such sentence")[0]
    return {line.removeprefix(".It ").replace("\\&", "") for line in page.splitlines() if line.startswith(".It ")}


def main():
    sessions, leases, page = set(of_sessions()), set(of_leases()), of_page()
    ok(len(sessions) > 15 and len(leases) > 15, "the source has sentences", [f"{len(sessions)} and {len(leases)}"])
    ok(sessions <= page, "the page has each that a session ends with", sorted(sessions - page))
    ok(leases <= page, "and each that the node API refuses a lease with", sorted(leases - page))
    ok(page <= sessions | leases, "and no other", sorted(page - sessions - leases))
    done()


main()
