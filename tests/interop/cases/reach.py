"""Neighbours and ICMP: both sides find each other and answer echo requests; a closed port refuses."""
import errno
import subprocess

from daemon import Daemon
from harness import case, check, equal


def ping(*words):
    done = subprocess.run(["ping", "-n", "-q", "-i", "0.2", "-W", "2", *words], capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"ping {' '.join(words)}: {done.stdout}{done.stderr}")
    check(" 0% packet loss" in done.stdout, done.stdout)


@case("ping, small and large, IPv4 and IPv6")
def echo_requests():
    with Daemon() as d:
        for address in (d.v4, d.v6):
            ping("-c", "3", address)
            ping("-c", "2", "-s", "1400", address)


@case("the first packet after the start finds its way")
def at_once():
    for family in (4, 6):
        with Daemon() as d:
            with d.connect(7, family, timeout=3) as s:
                s.sendall(b"x")
                equal(s.recv(1), b"x", "echoed")


def refused(d, family):
    try:
        d.connect(4242, family).close()
    except OSError as error:
        return error.errno
    return 0


@case("a closed port refuses with a reset, IPv4 and IPv6")
def closed_port():
    with Daemon() as d:
        for family in (4, 6):
            equal(refused(d, family), errno.ECONNREFUSED, f"connect() to a closed port, IPv{family}")
