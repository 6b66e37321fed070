"""TCP Fast Open (RFC 7413) with the kernel: data in the SYN both ways, by `ackctl nc --fast-open`, and a key that changes meanwhile."""
import os
import socket
import subprocess

import harness
from cases.active import PORT, Server, ackctl
from daemon import Daemon
from harness import Case, Skip, check, equal, until

TCP_FASTOPEN, MSG_FASTOPEN, TCPI_OPT_SYN_DATA = 23, 0x20000000, 32
SYSCTL = "/proc/sys/net/ipv4/tcp_fastopen"
KEY = b"a0bf63f7-ed803d81-cd641d30-cebc4a90\n"


def enable():
    try:
        with open(SYSCTL, "w", encoding="ascii") as f:
            f.write("3")
    except OSError as error:
        raise Skip(f"tcp_fastopen cannot be set: {error}") from None


class Netcat:
    """ackctl nc in the background, with all of its input."""

    def __init__(self, d, text, *words):
        program = os.path.join(harness.build(True), "client", "ackctl")
        self.process = subprocess.Popen([program, "--socket", d.socket, "nc", "--fast-open", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.process.stdin.write(text)
        self.process.stdin.close()

    def end(self):
        output = self.process.stdout.read()
        equal(self.process.wait(20), 0, "exit status of ackctl nc")
        return output


def counter(d, name):
    for line in ackctl(d, "stats", "-a", "tcp." + name).decode().splitlines():
        words = line.split()
        if len(words) > 1 and words[1] == name:
            return int(words[0])
    raise AssertionError(f"no counter {name}")


def read_all(s):
    text = b""
    while data := s.recv(1000):
        text += data
    return text


def client(family):
    """The first connection brings the cookie, the data of the second come with its SYN."""
    def body():
        enable()
        with Daemon() as d, Server(d, family) as server:
            server.socket.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 16)
            for i in range(2):
                nc = Netcat(d, b"from ackd", server.address, str(PORT))
                s, _ = server.socket.accept()
                s.settimeout(10)
                equal(read_all(s), b"from ackd", "what the kernel read")
                s.sendall(b"from the kernel")
                s.close()
                equal(nc.end(), b"from the kernel", "what ackctl read")
                equal(counter(d, "fast_open_active"), i, "connections whose SYN's data the kernel took")
    return Case(f"fast open: ackd connects, IPv{family}", 30, body)


def server(family):
    """A kernel client connects twice; the key is another then, and the cookie of the one before still good."""
    def body():
        enable()
        with Daemon() as d:
            ackctl(d, "key", "fast-open", "set", data=KEY)
            for i in range(2):
                nc = Netcat(d, b"from ackd", "-l", str(PORT))
                until(lambda: b"LISTEN" in ackctl(d, "ls", "-H", f"sport = :{PORT}"), 10, "ackctl listens")
                with socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6) as s:
                    s.sendto(b"from the kernel", MSG_FASTOPEN, (d.v4 if family == 4 else d.v6, PORT))
                    s.settimeout(10)  # not before: sendto() would not wait for the handshake
                    s.shutdown(socket.SHUT_WR)
                    equal(read_all(s), b"from ackd", "what the kernel read")
                    taken = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[5] & TCPI_OPT_SYN_DATA
                    check(bool(taken) == bool(i), f"whether the SYN's data were taken, attempt {i}")
                equal(nc.end(), b"from the kernel", "what ackctl read")
                ackctl(d, "key", "fast-open", "rotate")  # the key before stays good
    return Case(f"fast open: ackd listens, IPv{family}", 30, body)


CASES = [make(family) for make in (client, server) for family in (4, 6)]
