#!/usr/bin/env python3
"""No word of a page is eaten by mdoc, and no page lacks a field of JSON or an exit code that its program has.
(Its options: man.t.)"""
import glob
import os
import re
import sys

sys.path.insert(0, sys.path[0] + "/../lib")
from verdicts import done, ok

# English words that are macros, too, anywhere on a macro line, and those that are only as its first word; mdoc makes
# "<the> kernel" of "In the kernel". \\& in front keeps the word.
ANYWHERE = {"Ad", "An", "At", "In", "Up"}
IN_FRONT = {"Do", "No", "So"}

# What writes JSON, and the page that says what is in it.
JSON = {
    "cmd/asp-cp/check_report.cc": "man/asp-cp.1",
    "cmd/asp-cp/remote_files.cc": "man/asp-cp.1",
    "cmd/asp-forward/main.cc": "man/asp-forward.1",
    "cmd/asp-sessions/forms.cc": "man/asp-sessions.8",
    "cmd/asperaproxy/security_report.cc": "man/asp-check.sh.8",
    "cmd/asperaproxy/verdict.cc": "man/asperaproxy.8",
}
# What only reads it, or is described in etc/node-api.openapi.yaml (t/contract/asperanoded-api.t).
OTHERS = {"cmd/asp-forward/answer.cc", "cmd/asp-forward/api.cc", "cmd/asperanoded/api_json.cc", "cmd/asperanoded/lease_request.cc",
          "cmd/asperanoded/refusal.cc", "cmd/asperaproxy/packet_filter.cc", "lib/kernel/nft_listing.cc"}
FIELD = re.compile(r'\["([a-z_]+)"\](?:\[[^]]*\])? = |\["([a-z_]+)"\]\.push_back|\{"([a-z_]+)", (?!")')

# Failures of these codes are caught before they end the program.
CAUGHT = {("asp-redis", 75), ("asp-sessions", 65)}


def read(path):
    with open(path) as file:
        return file.read()


def eaten(page):
    for number, line in enumerate(read(page).splitlines(), 1):
        words = re.findall(r'"(?:[^"]|"")*"|\S+', line)
        if re.match(r"\.[A-Z][a-z]", line) and words[0] not in (".Xr", ".Bl", ".Bd"):
            if ANYWHERE & set(words[1:]) or IN_FRONT & set(words[1:2]):
                yield f"{page}:{number}: {line}"


def source(pattern):
    return "".join(re.sub(r"//[^\n]*", "", read(path)) for path in sorted(glob.glob(pattern)))


def is_said(field, page):
    """On a line of literals, or in an example."""
    return re.search(rf"^\.(?:.* )?Li .*\b{field}\b|\(dq{field}\(dq|\"{field}\"", page, re.M)


for page in sorted(glob.glob("man/*")):
    lost = list(eaten(page))
    ok(not lost, f"{page} keeps all its words", lost)

writers = {path for path in glob.glob("cmd/*/*.cc") + glob.glob("lib/*/*.cc") if "nlohmann" in read(path)}
ok(writers == JSON.keys() | OTHERS, "what has to do with JSON is in the list of this test", writers ^ (JSON.keys() | OTHERS))
for path, page in JSON.items():
    fields = {next(filter(None, found)) for found in FIELD.findall(source(path))}
    lacking = sorted(field for field in fields if not is_said(field, read(page)))
    ok(fields and not lacking, f"{page} has the {len(fields)} fields of {path}", lacking)

# <element>, as a literal of a page or between backquotes, is one of aspera.conf.
elements = set(re.findall(r'\.name = "([a-z_]+)"', read("lib/config/schema_table.cc"))) | {"conf", "CONF", "source_port_filtering"}
for page in sorted(glob.glob("man/*") + ["README.md", "ARCHITECTURE.md", "SECURITY.md", "INSTALL"]):
    said = re.findall(r"^\.(?:.* )?Li (<.*)" if page.startswith("man/") else r"`(<[^`]*)`", read(page), re.M)
    unknown = sorted({name for text in said for name in re.findall(r"</?([A-Za-z_]+)", text)} - elements)
    ok(not unknown, f"{page} names elements that there are", unknown)

codes = {name: int(code) for name, code in re.findall(r"^  ([a-z_]+) = (\d+),", read("lib/base/failure.h"), re.M)}
for tool in sorted(os.listdir("cmd")):
    page = next((f"man/{tool}.{section}" for section in "18" if os.path.exists(f"man/{tool}.{section}")), None)
    if not page:
        continue  # asp-check: its page is that of asp-check.sh, which becomes asperaproxy
    text = source(f"cmd/{tool}/*.cc")
    # 70 is a fault of the suite's own, for which the pages cite the table.
    used = {codes[name] for name in re.findall(r"Failure\w*[({]+tool::([a-z_]+)", text) if name in codes} - {codes["internal"]}
    if "fail_usage" in text:
        used.add(codes["usage"])
    status = re.search(r"^\.Sh EXIT STATUS(.*?)^\.Sh", read(page), re.M | re.S)[1]
    lacking = sorted(code for code in used if not re.search(rf"\b{code}\b", status) and (tool, code) not in CAUGHT)
    ok(not lacking, f"{page} has the {len(used)} exit codes that its program ends with by itself", lacking)

done()
