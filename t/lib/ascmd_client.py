"""ascmd_client.py: speaks with an ascmd as public clients do, and decodes what it says by the published table.

  talk(argv, lines)   (exit status, answers, stderr): `lines` are sent at once, then as_exit
  line("as_ls", "a b")   words, quoted

An answer is a tuple, the name of its type first: ("info", {…}), ("dir", [{…}, …]), ("error", 2, "No such …").

As a program: ascmd_client.py SCRIPT COMMAND..., where SCRIPT is lines as above, parted by "; "; prints an answer a line:
names of a directory, sorted; "success"; "error 2".
"""
import subprocess
import sys

INT32, INT64, TEXT = "int32", "int64", "text"
STAT = [("name", TEXT), ("size", INT64), ("mode", INT32), ("zmode", TEXT), ("uid", INT32), ("zuid", TEXT), ("gid", INT32),
        ("zgid", TEXT), ("ctime", INT64), ("zctime", TEXT), ("mtime", INT64), ("zmtime", TEXT), ("atime", INT64),
        ("zatime", TEXT), ("symlink", TEXT), ("errno", INT32), ("errstr", TEXT)]
SIZE = [("size", INT64), ("fcount", INT32), ("dcount", INT32), ("failed_fcount", INT32), ("failed_dcount", INT32)]
ERROR = [("errno", INT32), ("errstr", TEXT)]
INFO = [(name, TEXT) for name in ("platform", "version", "lang", "territory", "codeset", "lc_ctype", "lc_numeric",
                                  "lc_time", "lc_all", "dev", "browse_caps", "protocol")]
MOUNT = [("fs", TEXT), ("dir", TEXT), ("is_a", TEXT), ("total", INT64), ("used", INT64), ("free", INT64),
         ("fcount", INT64), ("errno", INT32), ("errstr", TEXT)]
MD5 = [("md5sum", TEXT)]
RESULTS = {1: ("file", STAT), 2: ("dir", None), 3: ("size", SIZE), 4: ("error", ERROR), 5: ("info", INFO),
           6: ("success", []), 8: ("df", MOUNT), 9: ("md5sum", MD5)}


def tlvs(data):
    found, at = [], 0
    while at < len(data):
        assert len(data) - at >= 5, f"a head of {len(data) - at} bytes"
        end = at + 5 + int.from_bytes(data[at + 1:at + 5], "big")
        assert len(data) >= end, f"{len(data) - at - 5} bytes of {end - at - 5}"
        found.append((data[at], data[at + 5:end]))
        at = end
    return found


def value(kind, data):
    if kind == TEXT:
        assert data.endswith(b"\0") and data.count(b"\0") == 1, data
        return data[:-1].decode(errors="surrogateescape")
    assert len(data) == (4 if kind == INT32 else 8), (kind, data)
    return int.from_bytes(data, "big", signed=True)


def struct(table, data):
    found = {}
    for kind, each in tlvs(data):
        name, how = table[kind - 1]
        found[name] = value(how, each)
    return found


def decode(data):
    answers = []
    for kind, each in tlvs(data):
        name, table = RESULTS[kind]
        if name == "dir":
            answers.append((name, [struct(STAT, entry) for _, entry in tlvs(each)]))
        elif name == "error":
            fields = struct(table, each)
            answers.append((name, fields["errno"], fields["errstr"]))
        else:
            answers.append((name, struct(table, each)))
    return answers


def line(operation, *words):
    quoted = []
    for word in words:
        if isinstance(word, str):
            word = word.encode(errors="surrogateescape")
        for special in (b"\\", b'"', b"\n"):
            word = word.replace(special, b"\\" + special)
        quoted.append(b'"' + word + b'"')
    return b" ".join([operation.encode(), *quoted])


def talk(argv, lines, protocol=2, more=()):
    start = [b"as_session_init --protocol=2" + b"".join(b" " + each for each in more)] if protocol == 2 else []
    sent = b"\n".join([*start, *lines, b"as_exit", b"", b""])
    done = subprocess.run([*argv], input=sent, capture_output=True, timeout=120)
    answers = decode(done.stdout)
    assert answers and answers[0][0] == "info", (answers, done)
    return done.returncode, answers[1:], done.stderr.decode(errors="replace")


def main():
    more = [each.encode() for each in sys.argv[1].split("; ") if each.startswith("--")]
    lines = [each.encode() for each in sys.argv[1].split("; ") if not each.startswith("--")]
    status, answers, err = talk(sys.argv[2:], lines, more=more)
    for name, *rest in answers:
        if name == "dir":
            print("dir", *sorted(each["name"] for each in rest[0]))
        elif name == "error":
            print("error", rest[0])
        elif name == "md5sum":
            print("md5sum", rest[0]["md5sum"])
        elif name == "size":
            print("size", *rest[0].values())
        elif name == "file":
            print("file", rest[0]["name"], rest[0].get("size"))
        else:
            print(name)
    if status != 0 or err:
        print("status", status, err.strip())


if __name__ == "__main__":
    main()
