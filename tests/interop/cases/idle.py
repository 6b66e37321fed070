"""A daemon that has nothing to do: it serves without having waited for anything, and then sleeps until something happens."""
import time

from daemon import Daemon
from harness import case, check, equal
from streams import ECHO

QUIET = 4   # seconds without a wake-up that settle() wants
WATCHED = 8  # and those that nothing may happen in
# Waiting for a lock of the kernel's counts, too; waiting for addresses to be probed, or for a timer, would be seconds.
SLEEPS_OF_A_START = 25


def sleeps(d):
    with open(f"/proc/{d.process.pid}/status", encoding="ascii") as lines:
        return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))


def frames(d):
    """How many frames the kernel has sent and received on the TAP."""
    with open("/proc/net/dev", encoding="ascii") as lines:
        words = next(line for line in lines if line.strip().startswith(d.tap + ":")).split(":")[1].split()
    return words[1], words[9]


def settle(d):
    """Announcements and the kernel's IPv6 are over, and whether neighbours are still there was asked."""
    quiet, last = 0, sleeps(d)
    for _ in range(40):
        time.sleep(1)
        now = sleeps(d)
        quiet, last = quiet + 1 if now == last else 0, now
        if quiet == QUIET:
            return
    raise AssertionError("40 s after its last connection it still wakes up")


@case("serving at once: nothing is waited for at the start")
def start():
    with Daemon() as d:
        slept = sleeps(d)
        with d.connect(ECHO, 4) as a, d.connect(ECHO, 6) as b:
            for s in (a, b):
                s.sendall(b"x")
                equal(s.recv(1), b"x", "echoed")
        check(slept <= SLEEPS_OF_A_START, f"it slept {slept} times before it served")


@case("an idle daemon with idle connections does not wake up", 120)
def idle():
    with Daemon() as d:
        with d.connect(ECHO, 4) as a, d.connect(ECHO, 6) as b:
            for s in (a, b):
                s.sendall(b"x")
                equal(s.recv(1), b"x", "echoed")
            for _ in range(4):
                settle(d)
                came, slept = frames(d), sleeps(d)
                time.sleep(WATCHED)
                woken = sleeps(d) - slept
                if frames(d) == came:
                    equal(woken, 0, f"wake-ups in {WATCHED} s")
                    return
            raise AssertionError("the kernel sends frames all the time")
