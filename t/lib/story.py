"""story.py: a test file that is one story in Python, set in a scene, t/lib/*_scene.sh.

  #!/usr/bin/env python3
  \"\"\"asp-lease: what the story tells.\"\"\"
  import sys
  sys.path.insert(0, sys.path[0] + "/../lib")
  from lease_story import *  # what the stories of a tool have in common: also node_story,
                             # cluster_story

Those import this first of all, and enter() their scene: it starts the test again in
namespaces and an environment of its own, with the top of the source tree as $PWD.
"""
import os, subprocess, sys
from lease import until

TMP = os.environ.get("TMP", "")  # of the scene
PREFIX = "/opt/aspera/proxy"
CONF = PREFIX + "/etc/aspera.conf"
NODE_USERS = PREFIX + "/etc/node_users.conf"
NODE_UID = 64321  # of sallyport-node
HASH = "$y$j9T$abcdefghijklmnop$" + "a" * 43  # of some password


def enter(scene):
    if "TEST_SCENE" in os.environ:
        return
    top = os.path.realpath(__file__ + "/../../..")
    story = os.path.relpath(os.path.realpath(sys.argv[0]), top)
    os.execv("/bin/bash", ["bash", f"{top}/t/lib/{scene}", story])


def write(path, text, mode=0o644, group=0):
    """In one step, as an editor would."""
    with open(path + ".new", "w") as f:
        f.write(text)
    os.chown(path + ".new", 0, group)
    os.chmod(path + ".new", mode)
    os.rename(path + ".new", path)


def run(*argv, **more):
    """(exit status, stdout, stderr)."""
    more = {"timeout": 120, "stdin": subprocess.DEVNULL} | more
    done = subprocess.run(argv, capture_output=True, text=True, **more)
    return done.returncode, done.stdout, done.stderr


def log():
    with open(TMP + "/syslog") as f:
        return f.read()


def logged(text):
    return until(lambda: text in log(), 3)
