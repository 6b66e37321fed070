"""What ./dev bench and ./dev bench path share: where they run, what they ask the system, and how they show that they go on."""
import os
import subprocess
import sys
import time

BUILD = os.path.realpath(os.environ.get("ACKD_BUILD", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build")))
PROGRAMS = os.path.join(BUILD, "tests", "bench")
INSIDE = "ACKD_BENCH_INSIDE"
ECHO, DISCARD, CHARGEN = 7, 9, 19


class Failed(Exception):
    """The bench cannot go on; the text says why."""


def namespace():
    """The command that makes a namespace for us, or (None, why not)."""
    if not os.path.exists("/dev/net/tun"):
        return None, "there is no /dev/net/tun"
    as_root, as_user = ["unshare", "--net"], ["unshare", "--user", "--map-root-user", "--net"]
    for command in ([as_root] if os.geteuid() == 0 else []) + [as_user]:
        probe = [*command, sys.executable, "-c", "open('/dev/net/tun', 'r+b', buffering=0)"]
        if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            return command, None
    return None, "no root, and no user namespace that may use /dev/net/tun"


def ip(*words, inside=None):
    enter = ["nsenter", f"--net=/proc/{inside}/ns/net"] if inside else []
    done = subprocess.run([*enter, "ip", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"ip {' '.join(words)}: {done.stderr.strip()}")


def enter_namespace(script):
    """Starts the script again in a namespace of its own, with the same arguments; a sentence when there can be none, None inside."""
    if INSIDE in os.environ:
        return None
    command, why = namespace()
    if command is None:
        return why
    os.environ[INSIDE] = "1"
    os.execvp(command[0], [*command, sys.executable, os.path.abspath(script), *sys.argv[1:]])


def read(path):
    with open(path, encoding="ascii", errors="replace") as f:
        return f.read()


def interface_drops(table, link):
    for line in table.splitlines():
        name, _, rest = line.partition(":")
        if name.strip() == link:
            words = rest.split()
            return int(words[3]) + int(words[11])
    raise Failed(f"the interface {link} is gone")


class Progress:
    """A line that is written over on a terminal, a line a metric elsewhere."""

    def __init__(self, total):
        self.total, self.done, self.began, self.metric = total, 0, time.monotonic(), None
        self.live = sys.stderr.isatty()

    def step(self, metric, rest):
        self.done += 1
        line = f"[{self.done}/{self.total}] {metric.name}, {rest}, {time.monotonic() - self.began:.0f} s"
        if self.live:
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
        elif metric is not self.metric:
            print(line, file=sys.stderr, flush=True)
        self.metric = metric

    def end(self):
        if self.live:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
