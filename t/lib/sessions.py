"""sessions.py: sessions through the lab's proxy, their processes on dmz, and
what they leave there. For death.py and soak.py, which run beside the hosts, not
on one. A session's number is in its command, so that `ascp_rproxy` bears it.
"""
import ctypes
import os
import re
import signal
import socket
import subprocess
import threading
import time

PREFIX = os.environ["LAB_PREFIX"]
SQUASH = os.environ["SQUASH"]
SQUASH_6 = os.environ["SQUASH_6"]
UDP_PORT = 33001
SPOOL = "run/sallyport"
MARK = "0x8000000/0x8000000"
LET_IN = "/balance/let_in"  # in the spool: that a server let an account in; for the next sessions
NFTABLES = os.environ.get("LAB_FORWARDING") == "nftables"
LIBC = ctypes.CDLL(None, use_errno=True)


def wait_until(seconds, condition, pause=0.01):
    """What `condition` returned at last: false when time was up."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found or time.monotonic() > end:
            return found
        time.sleep(pause)


class Host:
    def __init__(self, name):
        self.name = name
        with open(f"/run/lab/hosts/{name}") as file:
            self.holder = int(file.read())
        self.root = f"/proc/{self.holder}/root"
        self.space = os.readlink(f"/proc/{self.holder}/ns/mnt")

    def argv(self, *command, user="root"):
        """What runs `command` there, as lab.sh's `on` does."""
        home = "root" if user == "root" else f"home/{user}"
        owner = os.stat(f"{self.root}/{home}")
        return ["nsenter", "-t", str(self.holder), "-m", "-u", "-n", "--wdns=/" + home, "--",
                "setpriv", "--reuid", str(owner.st_uid), "--regid", str(owner.st_gid),
                "--init-groups", "--reset-env", "--", *command]

    def run(self, *command):
        return subprocess.run(self.argv(*command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=60)

    def socket(self, family=socket.AF_INET):
        """A UDP socket there: a socket stays where it was made."""
        with open("/proc/thread-self/ns/net") as ours, open(f"/proc/{self.holder}/ns/net") as theirs:
            if LIBC.setns(theirs.fileno(), 0) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            try:
                return socket.socket(family, socket.SOCK_DGRAM)
            finally:
                LIBC.setns(ours.fileno(), 0)

    def processes(self):
        """{pid: Process} of this host alone."""
        found = {}
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                if os.readlink(f"/proc/{name}/ns/mnt") == self.space:
                    found[int(name)] = Process(int(name))
            except (OSError, ValueError):
                pass  # it has just ended
        return found


class Process:
    def __init__(self, pid):
        self.pid = pid
        with open(f"/proc/{pid}/stat") as file:
            head, _, tail = file.read().rpartition(")")
        self.name = head.partition("(")[2]
        fields = tail.split()
        self.state, self.parent, self.started = fields[0], int(fields[1]), fields[19]
        with open(f"/proc/{pid}/cmdline") as file:
            self.words = file.read().split("\0")[:-1]

    def kill(self, number=signal.SIGKILL):
        """False when it is not there any more, whatever has its number now."""
        try:
            held = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return False
        try:
            if Process(self.pid).started != self.started:
                return False
            signal.pidfd_send_signal(held, number)
            return True
        except (OSError, ValueError):
            return False
        finally:
            os.close(held)


def is_sshd(process):
    """Whether it is one of sshd's programs: sshd-session and sshd-auth of OpenSSH 9.8 and later are others than the listener."""
    return process.name.startswith("sshd")


def roles(dmz, number):
    """{role: Process} of session `number` on dmz, as far as they are there."""
    processes = dmz.processes()
    parts = {}
    for process in processes.values():
        if process.name == "ascp_rproxy" and process.words[-4:] == ["env", "-u", str(number), "cat"]:
            parts["ascp_rproxy"] = process
    if "ascp_rproxy" not in parts:
        return {}
    user = processes.get(parts["ascp_rproxy"].parent)
    if user and is_sshd(user):
        parts["sshd-user"] = user
        guard = processes.get(user.parent)
        if guard and is_sshd(guard):
            parts["sshd-priv"] = guard
    above = {parts["ascp_rproxy"].pid}
    for process in sorted(processes.values(), key=lambda each: each.pid):
        if process.parent in above and process.name in ("asp-upstream", "asp-dial", "sudo", "asp-pinhole"):
            parts[role(process)] = process
            above.add(process.pid)
    return parts


def role(process):
    """sudo-upstream, sudo-pinhole: which of the two it is. (Not yet exec'd: sudo-.)"""
    if process.name != "sudo":
        return process.name
    return "sudo-" + process.words[-1].rpartition("asp-")[2] if process.words else "sudo-"


class State:
    """What the proxy holds for sessions: rules, flows, records and tokens."""

    def __init__(self, dmz, v6=False):
        rules = subprocess.Popen(dmz.argv("ip6tables" if v6 else "iptables", "-w", "-t", "nat", "-S"), stdout=subprocess.PIPE, text=True)
        flows = dmz.run("conntrack", "-f", "ipv6" if v6 else "ipv4", "-L", "-p", "udp", "-m", MARK).stdout
        elements = dmz.run("nft", "list", "table", "inet", "sallyport").stdout if NFTABLES else ""
        self.things = {line for line in rules.communicate()[0].splitlines() if re.match("-A SALLYPORT-(SESSIONS |SNAT .*-j SNAT )", line)}
        self.things |= set(re.findall(r"[0-9a-f.:]+ \. [^,{}]* comment \"[^\"]*\" : [^,{}]*", re.sub(r" (timeout|expires) \w+", "", elements)))
        for line in flows.splitlines():
            self.things.add("flow " + " ".join(re.findall(r"(?:src|dst|sport|dport)=\S+", line)))
        top = f"{dmz.root}/{SPOOL}"
        for directory, _, names in os.walk(top):
            if directory[len(top):].startswith("/lease"):
                continue  # of the forward proxy; asp-reap makes them
            if directory[len(top):] == LET_IN:
                continue
            names = [name for name in names if not name.startswith("lease")]
            self.things.add(directory[len(top):] + "/")
            self.things.update(f"{directory[len(top):]}/{name}" for name in names)

    def __sub__(self, other):
        return sorted(self.things - other.things)

    def __eq__(self, other):
        return self.things == other.things


class Session:
    """An SSH session that runs `env -u NUMBER cat`."""

    def __init__(self, host, user, number, address=SQUASH):
        self.host, self.number = host, number
        self.ssh = subprocess.Popen(
            host.argv("ssh", "-p", "33001", f"{user}@{address}", f"env -u {number} cat", user=user),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.udp = host.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        self.udp.connect((address, UDP_PORT))

    def opened(self, seconds=20):
        """Whether the command runs, so that the pinhole is open."""
        timer = threading.Timer(seconds, self.ssh.kill)
        timer.start()
        try:
            self.ssh.stdin.write(b"ready\n")
            self.ssh.stdin.flush()
            return self.ssh.stdout.readline() == b"ready\n"
        except OSError:
            return False
        finally:
            timer.cancel()

    def send(self, text):
        try:
            self.udp.send(text.encode())
        except OSError:  # an ICMP error that came for an earlier packet
            pass

    def receive(self, seconds):
        """The next answer's text, or None."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.udp.settimeout(left)
            try:
                return self.udp.recv(65535).decode(errors="replace")
            except TimeoutError:
                return None
            except OSError:
                continue
        return None

    def hang_up(self):
        """The end of what the client sends; the server's `cat` then ends, too."""
        try:
            self.ssh.stdin.close()
        except OSError:
            pass

    def end(self, seconds=30):
        """ssh's status, after hanging up; None when it had to be killed."""
        self.hang_up()
        try:
            return self.ssh.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.ssh.kill()
            self.ssh.wait()
            return None
        finally:
            self.ssh.stdout.close()
            self.why = self.ssh.stderr.read().decode(errors="replace").strip()
            self.ssh.stderr.close()
            self.udp.close()
