"""story.py: a test file that is one story in Python, set in lease_scene.sh.

  #!/usr/bin/env python3
  \"\"\"asp-lease: what the story tells.\"\"\"
  import sys
  sys.path.insert(0, sys.path[0] + "/../lib")
  from lease_story import *  # or node_story: what the stories of a tool have in common

Those import this first of all. It starts the test again in its scene: namespaces and
an environment of its own, with the top of the source tree as $PWD.
"""
import os, subprocess, sys

if "TEST_SCENE" not in os.environ:
    top = os.path.realpath(__file__ + "/../../..")
    story = os.path.relpath(os.path.realpath(sys.argv[0]), top)
    os.execv("/bin/bash", ["bash", top + "/t/lib/lease_scene.sh", story])

TMP = os.environ["TMP"]
PREFIX = "/opt/aspera/proxy"
CONF = PREFIX + "/etc/aspera.conf"
NODE_USERS = PREFIX + "/etc/node_users.conf"
NODE_UID = 64321  # of sallyport-node


def write(path, text, mode=0o644, group=0):
    """In one step, as an editor would."""
    with open(path + ".new", "w") as f:
        f.write(text)
    os.chown(path + ".new", 0, group)
    os.chmod(path + ".new", mode)
    os.rename(path + ".new", path)


def run(*argv, **more):
    """(exit status, stdout, stderr)."""
    more = {"timeout": 30, "stdin": subprocess.DEVNULL} | more
    done = subprocess.run(argv, capture_output=True, text=True, **more)
    return done.returncode, done.stdout, done.stderr


def log():
    with open(TMP + "/syslog") as f:
        return f.read()
