"""Path MTU: a router behind the kernel's side with a narrower link tells ackd by ICMP, and the stream goes on with smaller segments."""
import os
import subprocess
import sys

from daemon import Daemon
from harness import Case
from streams import MB

NARROW = 1300
HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def ip(*words):
    subprocess.run(["ip", *words], check=True)


class Beyond:
    """A host behind the router: a process in a namespace of its own, joined by a veth whose near end has the narrow MTU. Its end has 1500, so that the MSS that
    it offers does not give the narrow link away."""

    near, far = "near", "far"

    def __enter__(self):
        self.process = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo ready; exec sleep 1000"], stdout=subprocess.PIPE)
        self.process.stdout.readline()
        pid = str(self.process.pid)
        with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as f:
            f.write("1")
        with open("/proc/sys/net/ipv6/conf/all/forwarding", "w", encoding="ascii") as f:
            f.write("1")
        ip("link", "add", self.near, "type", "veth", "peer", "name", self.far, "netns", pid)
        ip("link", "set", self.near, "mtu", str(NARROW), "up")
        ip("addr", "add", "10.77.0.1/24", "dev", self.near)
        ip("addr", "add", "fd00:77::1/64", "dev", self.near, "nodad")
        self.inside("ip", "link", "set", self.far, "up")
        self.inside("ip", "addr", "add", "10.77.0.2/24", "dev", self.far)
        self.inside("ip", "addr", "add", "fd00:77::2/64", "dev", self.far, "nodad")
        self.inside("ip", "route", "add", "default", "via", "10.77.0.1")
        self.inside("ip", "-6", "route", "add", "default", "via", "fd00:77::1")
        return self

    def inside(self, *command):
        return subprocess.run(["nsenter", "--net", "--target", str(self.process.pid), *command], check=True, capture_output=True)

    def __exit__(self, *_):
        subprocess.run(["ip", "link", "del", self.near], check=False)
        self.process.kill()
        self.process.wait()


# Runs beyond the router: its arguments are address, port, bytes.
READ_PATTERN = """
import sys; sys.path.insert(0, sys.argv[1])
import socket, streams
s = socket.create_connection((sys.argv[2], streams.CHARGEN), 10)
n = int(sys.argv[3])
assert streams.read_exactly(s, n) == streams.pattern(0, n), "not chargen's pattern"
"""


def narrow_link(family, offload):
    def run():
        d = Daemon(offload=offload)
        d.command += ["--gateway", d.host4, "--gateway", d.host6]
        with d, Beyond() as beyond:
            beyond.inside(sys.executable, "-c", READ_PATTERN, HERE, d.address(family), str(4 * MB))
    return run


CASES = [Case(f"a narrow link on the path, IPv{f}, offload {'on' if o else 'off'}", 60, narrow_link(f, o))
         for f, o in ((4, True), (6, True), (4, False), (6, False))]
