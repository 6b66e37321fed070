"""Windows that close and open again: a reader that stops, on either side, and every byte still there afterwards."""
import array
import fcntl
import socket
import termios
import time

from daemon import Daemon
from harness import Case, check, equal, until
from streams import CHARGEN, ECHO, MB, Source, pattern, read_digest, read_exactly, send_in_thread


def waiting(s):
    """Bytes in the kernel's receive queue."""
    n = array.array("i", [0])
    fcntl.ioctl(s.fileno(), termios.FIONREAD, n)
    return n[0]


def settled(s):
    """Waits until the receive queue has stopped growing: our window is closed."""
    seen = {"n": -1, "at": time.monotonic()}

    def still():
        n = waiting(s)
        if n != seen["n"]:
            seen["n"], seen["at"] = n, time.monotonic()
        return n > 0 and time.monotonic() - seen["at"] > 0.7
    until(still, 15, "the receive queue stops growing")
    return seen["n"]


def small_buffer(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)


def kernel_stops_reading(family, offload):
    def run():
        with Daemon(offload=offload) as d, d.connect(CHARGEN, family, before=small_buffer) as s:
            at = 0
            for _ in range(3):
                settled(s)  # ackd probes a closed window now
                equal(read_exactly(s, MB) == pattern(at, MB), True, f"chargen's pattern from byte {at}")
                at += MB
    return run


def send_until_stuck(s, source):
    """Sends until nothing was taken for a while: bytes sent, and an iterator with the rest."""
    s.setblocking(False)
    sent, last, blocks = 0, time.monotonic(), source.blocks()
    for block in blocks:
        view = memoryview(block)
        while len(view):
            try:
                n = s.send(view)
                sent, last, view = sent + n, time.monotonic(), view[n:]
            except BlockingIOError:
                if time.monotonic() - last > 1:
                    return sent, view, blocks
                time.sleep(0.01)
    return sent, memoryview(b""), blocks


def ackd_stops_reading(family, offload):
    """Nobody reads what echo sends, so echo stops reading and ackd's window closes; then all is read."""
    total = 48 * MB

    def run():
        with Daemon(offload=offload) as d, d.connect(ECHO, family) as s:
            source = Source(total)
            sent, rest, blocks = send_until_stuck(s, source)
            check(sent < total, "ackd's window never closed")

            class Rest:
                digest = source.digest

                @staticmethod
                def blocks():
                    yield rest
                    yield from blocks
            s.settimeout(20)
            join = send_in_thread(s, Rest)
            got = read_digest(s)
            join()
            equal(got, (total, source.digest.hexdigest()), "echoed")
    return run


CASES = [Case(f"{what}, IPv{f}, offload {'on' if o else 'off'}", 60, make(f, o))
         for what, make in (("the kernel stops reading and goes on", kernel_stops_reading),
                            ("ackd's window closes and opens", ackd_stops_reading))
         for f, o in ((4, True), (6, True), (4, False))]
