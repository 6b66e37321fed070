"""How connections end: half-close, resets from either side, the daemon's own end."""
import errno
import socket
import struct

from daemon import Daemon
from harness import case, check, equal, until
from streams import CHARGEN, DISCARD, ECHO, MB, Source, pattern, read_exactly, read_to_end, send_in_thread


@case("half-close by the kernel: all is echoed, then ackd closes, IPv4 and IPv6")
def half_close():
    with Daemon() as d:
        for family in (4, 6):
            with d.connect(ECHO, family) as s:
                s.sendall(b"a" * 100000)
                s.shutdown(socket.SHUT_WR)
                equal(len(read_to_end(s)), 100000, "bytes after our half-close")


@case("half-close of an empty stream")
def empty():
    with Daemon() as d:
        for port in (ECHO, DISCARD):
            with d.connect(port) as s:
                s.shutdown(socket.SHUT_WR)
                equal(s.recv(1), b"", "from a stream without bytes")


@case("data flow on after the other direction was closed")
def one_way():
    with Daemon() as d, d.connect(CHARGEN) as s:
        s.shutdown(socket.SHUT_WR)
        equal(read_exactly(s, 3 * MB) == pattern(0, 3 * MB), True, "chargen's pattern after our half-close")


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


@case("reset by the kernel (SO_LINGER 0), in the middle of data")
def reset_by_kernel():
    with Daemon() as d:
        for family in (4, 6):
            for port in (ECHO, DISCARD, CHARGEN):
                s = d.connect(port, family)
                if port != CHARGEN:
                    s.sendall(b"z" * 50000)
                else:
                    read_exactly(s, 1000)
                reset(s)
            with d.connect(ECHO, family) as s:
                s.sendall(b"still there")
                equal(read_exactly(s, 11), b"still there", "echoed after resets")


@case("the daemon's end resets what lives")
def reset_by_daemon():
    d = Daemon()
    with d:
        connections = [d.connect(ECHO, family) for family in (4, 6) for _ in range(5)]
        for s in connections:
            s.sendall(b"x")
            equal(s.recv(1), b"x", "echoed")
        equal(d.stop(), 0, "the daemon's exit status")
        for s in connections:
            error = until(lambda s=s: s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 5, "the connection is reset")
            equal(error, errno.ECONNRESET, "the connection's error")
            s.close()


@case("a port is open again at once, and a tuple after TIME-WAIT's rules (RFC 6191)")
def reuse():
    with Daemon() as d:
        def bound(s):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((d.host4, 40404))
        for turn in range(3):
            # The kernel resets, so the tuple is free on both sides.
            s = d.connect(ECHO, before=bound)
            s.sendall(b"%d" % turn)
            equal(s.recv(1), b"%d" % turn, "echoed on the same tuple")
            reset(s)


@case("a large backlog of closed connections leaves nothing behind")
def churn():
    with Daemon() as d:
        for turn in range(300):
            with d.connect(ECHO, 4 if turn % 2 else 6) as s:
                s.sendall(b"%d" % turn)
                s.shutdown(socket.SHUT_WR)
                equal(read_to_end(s), b"%d" % turn, "echoed")


@case("end of stream right behind a large burst")
def burst():
    with Daemon() as d, d.connect(DISCARD) as s:
        join = send_in_thread(s, Source(16 * MB))
        join()
        check(s.recv(1) == b"", "discard closes after the last byte")
