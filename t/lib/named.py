"""named.py < INSTALL: what the document names of this suite and the tree does not have, a line each: tools, their verbs
and options, files below the suite's prefix, elements of aspera.conf, manual pages, units, chapters, and the lines that
a client says. Where the tree says what there is: the Makefile, man/, etc/, the schema, the messages in the source."""
import pathlib
import re
import sys

text = sys.stdin.read()
lines = text.split("\n")
man = {page.stem: page.read_text() for page in pathlib.Path("man").iterdir()}
source = re.sub(r'"\s*\n\s*"', "", "".join(f.read_text() for top in ("cmd", "lib") for f in pathlib.Path(top).rglob("*.[ch]*")))
makefile = pathlib.Path("Makefile").read_text().replace("\\\n", " ")
tools = set(re.findall(r"\S+", " ".join(re.findall(r"^(?:BIN|LIBEXEC|SCRIPTS)\s*:=(.*)$", makefile, re.M))))
elements = set(re.findall(r'\.name = "([a-z_]+)"', source)) | set(re.findall(r'\{"([a-z_]+)"', source)) | {"CONF"}
files = {str(f.relative_to("etc")) for f in pathlib.Path("etc").rglob("*")}
headings = [line for line, below in zip(lines, lines[1:]) if line and re.fullmatch("-{3,}", below)]
TOOL = re.compile(r"(?:^|[|;&(]|\bsudo)\s*((?:asp|ascp_|ascmd|ascon|asnode|asuser)[a-z_.-]*)((?:[ ]+[^\s`|;&)<>]+)*)")


def missing(what):
    print(what)


def commands():
    """What is typed: behind a prompt, indented, or between backticks."""
    joined = re.sub(r"\\\n\s*", "", text)
    prose = re.sub(r"\n(?!\n| {4,}\S)", " ", joined)
    yield from re.findall(r"`([^`\n]+)`", prose)
    yield from (re.sub(r"^\s*[a-z]+[#$] ", "", line) for line in joined.split("\n") if line.startswith("    "))


def check_command(command):
    for tool, words in TOOL.findall(command.replace("/opt/aspera/proxy/bin/", "")):
        tool = tool.rstrip(".")
        if tool not in tools:
            if tool not in man and not re.match(r"(aspera\.conf|asp1|asp-.*\.(socket|service))", tool):
                missing(f"{tool}: there is no such tool: {command}")
            continue
        words = words.split(" -- ")[0].split()
        page = man[tool].replace("\\-", "-").replace("No ", "")
        verb = next(iter(words), "")
        if tool == "asperaproxy" and re.fullmatch("[a-z-]+", verb) and not verb.startswith("-") and f'{{"{verb}"' not in source:
            missing(f"asperaproxy {verb}: there is no such verb: {command}")
        for word in words:
            if re.fullmatch(r"--[a-z-]+", word) and not re.search(rf"Fl (?:-|Fl ){re.escape(word[2:])}\b", page):
                missing(f"{tool} {word}: its page has no such option: {command}")
            elif re.fullmatch(r"-[A-Za-z]{1,3}", word):
                for letter in word[1:]:
                    if not re.search(rf"Fl [A-Za-z]*{letter}", page):
                        missing(f"{tool} -{letter}: its page has no such option: {command}")


for command in commands():
    check_command(command)
for path in sorted(set(re.findall(r"/opt/aspera/proxy/((?:etc|share)/[\w./@-]*\w)", text))):
    name = path.partition("/")[2]
    name = name.removesuffix(".pub")
    if not any(re.search(re.escape(name) + r"(?![\w-])", known) for known in ("\n".join(files), makefile, *man.values())):
        missing(f"/opt/aspera/proxy/{path}: neither in etc nor in a manual page")
for element in sorted(set(re.findall(r"<([a-z_]{3,})>", text)) - elements):
    missing(f"<{element}>: no element of aspera.conf")
for page, section in sorted(set(re.findall(r"\b((?:asp|sallyport|asc|asn|asu)[\w.-]*)\(([1-8])\)", text))):
    if not pathlib.Path(f"man/{page}.{section}").exists():
        missing(f"{page}({section}): there is no such page")
for unit in sorted(set(re.findall(r"\b(asp[\w-]+\.(?:socket|service))\b", text))):
    if "systemd/" + unit not in files:
        missing(f"{unit}: there is no such unit")
contents = re.findall(r"^    (\S.*?)(?: {2,}.*)?$", text.split("\n\n")[1], re.M)
if contents != headings:
    missing(f"the list of chapters: {sorted(set(contents) ^ set(headings)) or 'another order'}")
for said in re.findall(r"^(Th[ei][^\n]*?\.)(?: {2,}.*)?$", text.partition("\nWhen it does not work\n")[2].partition("\nWhat the administrator")[0], re.M):
    if said not in source:
        missing(f"{said}: nothing says so")
