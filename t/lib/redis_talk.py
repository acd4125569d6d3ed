"""redis_talk.py: the messages between a redis::Client and its asp-redis (cluster/redis_message.h).

    redis_talk.py COMMAND... -- MESSAGE...   starts COMMAND, sends each message to it, prints
                                             what it answers, and at last how it ends

A message is a value as Python writes it, for instance the terms: [0, ["192.0.2.11:6379"], [], ""];
a question, as a tuple of seconds and commands: (5, [["PING"]]); or bytes as they are: raw:7f000000.
"""
import ast, os, socket, struct, subprocess, sys, time


def pack(value):
    if value is None:
        return b"-"
    if isinstance(value, int):
        return b":" + struct.pack("=q", value)
    if isinstance(value, list):
        return b"*" + struct.pack("=I", len(value)) + b"".join(map(pack, value))
    text = value.encode() if isinstance(value, str) else value
    return b"$" + struct.pack("=I", len(text)) + text


def message(value):
    text = pack(value)
    return struct.pack("=I", len(text)) + text


def question(seconds, commands):
    return message([time.clock_gettime_ns(time.CLOCK_MONOTONIC) + int(seconds * 1e9), commands])


def parse(text, at=0):
    """The value that begins there, and where it ends."""
    kind, at = text[at:at + 1], at + 1
    if kind == b"-":
        return None, at
    if kind == b":":
        return struct.unpack_from("=q", text, at)[0], at + 8
    count, at = struct.unpack_from("=I", text, at)[0], at + 4
    if kind == b"$":
        return text[at:at + count].decode("latin-1"), at + count
    values = []
    for _ in range(count):
        value, at = parse(text, at)
        values.append(value)
    return values, at


def read(fd, count):
    text = b""
    while len(text) < count:
        more = os.read(fd, count - len(text))
        if not more:
            return None
        text += more
    return text


def receive(fd):
    """The value of the next message; EOFError when there is none."""
    head = read(fd, 4)
    if head is None:
        raise EOFError
    return parse(read(fd, struct.unpack("=I", head)[0]))[0]


def bytes_of(text):
    if text.startswith("raw:"):
        return bytes.fromhex(text[4:])
    value = ast.literal_eval(text)
    return question(*value) if isinstance(value, tuple) else message(value)


def talk(command, messages):
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs)
    theirs.close()
    try:
        for text in messages:
            ours.sendall(bytes_of(text))
            if text == messages[-1] and text.startswith("raw:"):
                ours.shutdown(socket.SHUT_WR)
            print(receive(ours.fileno()), flush=True)
    except (EOFError, OSError):
        pass
    ours.close()
    print("exit", process.wait(), flush=True)


if __name__ == "__main__":
    split = sys.argv.index("--")
    talk(sys.argv[1:split], sys.argv[split + 1:])
