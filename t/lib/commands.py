"""commands.py CHAPTER < INSTALL: the commands of a chapter, each as four fields that end in NUL: who types it ("proxy"),
the command, what is said behind a # ("is refused"), and the dialogue: a line for each question, a tab, and the answer.

    proxy# asperaproxy trust          a command; it goes on where a line ends in a backslash, or until END of << 'END'
    Enrol it? (yes/no) yes<Enter>     a question of its, and an answer
    any other line                    what it prints

commands.py --chapters < INSTALL: the chapters that have commands. CONTRIBUTING.md has the convention for writers."""
import re
import sys

PROMPT = re.compile(r"^ {4,}(proxy|server|outside|inside|build)[#$] (.*)$")
QUESTION = re.compile(r"^ +(.*[:)?\]]) (.*)<Enter>$")


def chapters(lines):
    name, found = None, {}
    for line, below in zip(lines, lines[1:] + [""]):
        if line and re.fullmatch("-{3,}", below):
            name = line
            found[name] = []
        elif name:
            found[name].append(line)
    return found


def commands(lines):
    found, rest = [], iter(lines)
    for line in rest:
        prompt = PROMPT.match(line)
        question = QUESTION.match(line)
        if question and found:
            found[-1][3].append("\t".join(question.groups()))
        if not prompt:
            continue
        who, text = prompt.groups()
        indent = len(line) - len(line.lstrip())
        note = ""
        if noted := re.match(r"^(.*\S) {2,}# (.*)$", text):
            text, note = noted.groups()
        while text.endswith("\\"):
            text += "\n" + next(rest)[indent:]
        if "<< 'END'" in text:
            while not text.endswith("\nEND"):
                text += "\n" + next(rest)[indent:]
        found.append((who, text, note, []))
    return found


if __name__ == "__main__":
    parts = chapters(sys.stdin.read().split("\n"))
    if sys.argv[1] == "--chapters":
        print("\n".join(name for name, lines in parts.items() if commands(lines)))
    else:
        for who, text, note, dialogue in commands(parts[sys.argv[1]]):
            sys.stdout.write("".join(field + "\0" for field in (who, text, note, "\n".join(dialogue))))
