#!/usr/bin/env python3
"""Every message that a session can end with has been caused: t/field/messages has each, with the test that
causes it, or with the reason why none can. A message is a text in the source by which something fails or an error is
logged, in the programs of a session and in each module of lib that is in them."""
import os
import re
import sys

sys.path.insert(0, sys.path[0] + "/../lib")
from verdicts import done, ok

PROGRAMS = "ascp_rproxy aspshell asp-match asp-upstream asp-dial asp-pinhole asp-balance".split()
FAILS = re.compile(r"\b(?:tool::|std::)?(?:Failure|fail\w*|refuse|malformed|complain|log_refusal|end_by|trouble|never_started)\s*[({]"
                   r"|\blogging::error\(|\b(?:lost_|last|failure)\.emplace\(|\bFailure \w+\(")
TEXT = r'"((?:[^"\\\n]|\\.)*)"'


def read(path):
    with open(path, errors="replace") as file:
        return file.read()


def modules(program):
    """The sources of a program: its own, and those of each module that one of them includes."""
    found, more = set(), [f"cmd/{program}/{name}" for name in os.listdir(f"cmd/{program}")]
    while more:
        path = more.pop()
        if path in found or not os.path.exists(path):
            continue
        found.add(path)
        for header in re.findall(r'^#include "([^"]*/[^"]*)\.h"', read(path), re.M):
            more += [f"lib/{header}.h", f"lib/{header}.cc"]
    return found


def arguments(source, start):
    """What stands between the parenthesis before `start` and its other."""
    depth, at = 1, start
    while depth and at < len(source):
        if text := re.compile(TEXT).match(source, at):
            at = text.end()
            continue
        if source[at] == "'":
            at = source.index("'", at + (3 if source[at + 1] == "\\" else 2)) if source[at - 1].isspace() or source[at - 1] in "(,={[" else at
        depth += {"(": 1, "{": 1, ")": -1, "}": -1}.get(source[at], 0)
        at += 1
    return source[start:at - 1]


def messages(path):
    source = re.sub(r'("(?:[^"\\\n]|\\.)*")|//[^\n]*', lambda found: found[1] or "", read(path))
    for call in FAILS.finditer(source):
        said = re.sub(r'(?:get|getenv|require)\("[^"]*"\)|\.with\("[^"]*"|(?:==|!=) "[^"]*"', "", arguments(source, call.end()))
        said = re.sub(r'"\s*"', "", said)
        for text in re.findall(TEXT, said):
            text = text.replace('\\"', '"').strip()
            is_name = re.fullmatch("[a-z_-]+", text) and "errno" not in call[0]
            if not is_name and re.search("[a-z]{2}", re.sub(r"\{[^}]*\}|\\n", "", text)):
                yield f"{path}: {text}"


def listed():
    """{message: (section, words)}; a section is a test's name or a reason."""
    table, section = {}, ""
    for line in read("t/field/messages").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            message, _, words = line.partition(" => ")
            table[message] = section, words or longest(message.partition(": ")[2])
    return table


def longest(text):
    return max(re.split(r"\{[^}]*\}", text), key=len).strip(" :;,()")


def plain(test):
    """The text of a test, where patterns have backslashes."""
    return re.sub(r"\\(.)", r"\1", read(test)).replace("\\", "")


def main():
    there = set()
    for program in PROGRAMS:
        for path in modules(program):
            there.update(messages(path))
    if sys.argv[1:] == ["--list"]:
        print("\n".join(sorted(there)))
        return
    table = listed()
    alike = {message.removesuffix("*") for message in table if message.endswith(": *")}
    there = {next((each + "*" for each in alike if message.startswith(each)), message) for message in there}
    ok(there <= table.keys(), "t/field/messages has each message of the source", sorted(there - table.keys()))
    ok(table.keys() <= there, "and no other", sorted(table.keys() - there))
    tests = {section: plain(section) for section, _ in table.values() if section.startswith("t/")}
    silent = [f"{section}: {message}: {words}" for message, (section, words) in table.items()
              if section in tests and (words not in tests[section] or len(words) < 5)]
    ok(not silent, "each test that is to cause one has its words", silent)
    ok(all(section for section, _ in table.values()), "all others have a reason")
    done()


main()
