"""The kernel's keepalive probes: a living ackd answers them, and a dead one is found out."""
import errno
import os
import signal
import socket
import time

from daemon import Daemon
from harness import case, equal, until
from streams import ECHO


def keepalive(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 2)


def error_of(s):
    return s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


@case("an idle connection answers the kernel's keepalive, a stopped daemon does not")
def probes():
    with Daemon() as d:
        with d.connect(ECHO, 4, before=keepalive) as a, d.connect(ECHO, 6, before=keepalive) as b:
            time.sleep(4.5)  # longer than a peer lives that does not answer: idle 1 s, two probes of 1 s
            for s in (a, b):
                equal(error_of(s), 0, "error of a connection whose peer answers")
                s.sendall(b"x")
                equal(s.recv(1), b"x", "echoed")
            os.kill(d.process.pid, signal.SIGSTOP)
            try:
                for s in (a, b):
                    equal(until(lambda s=s: error_of(s), 15, "the kernel gives up"), errno.ETIMEDOUT,
                          "error of a connection whose peer is silent")
            finally:
                os.kill(d.process.pid, signal.SIGCONT)
