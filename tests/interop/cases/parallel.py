"""Many connections at once."""
import selectors
import socket

from daemon import Daemon
from harness import Case, check, equal
from streams import ECHO

COUNT, BYTES = 1000, 20000


def message(n):
    return (b"%06d" % n) * (BYTES // 6)


class Talk:
    """One connection that sends its message and reads it back."""

    def __init__(self, address, family, n):
        self.out, self.back, self.want = memoryview(message(n)), bytearray(), message(n)
        self.socket = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6)
        self.socket.setblocking(False)
        self.socket.connect_ex((address, ECHO))

    def step(self, events):
        """False when it is done."""
        if events & selectors.EVENT_WRITE and len(self.out):
            self.out = self.out[self.socket.send(self.out):]
        if events & selectors.EVENT_READ:
            part = self.socket.recv(65536)
            check(part, "the stream ended early")
            self.back += part
        return len(self.back) < len(self.want)


def many(family):
    def run():
        with Daemon() as d, selectors.DefaultSelector() as selector:
            talks = [Talk(d.address(family), family, n) for n in range(COUNT)]
            for talk in talks:
                selector.register(talk.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, talk)
            left = COUNT
            while left:
                ready = selector.select(20)
                check(ready, f"{left} of {COUNT} connections are stuck")
                for key, events in ready:
                    talk = key.data
                    if not talk.step(events):
                        selector.unregister(talk.socket)
                        left -= 1
                    elif not len(talk.out):
                        selector.modify(talk.socket, selectors.EVENT_READ, talk)
            # All of them are open at the same time until here.
            for n, talk in enumerate(talks):
                equal(bytes(talk.back) == talk.want, True, f"connection {n} got its own bytes back")
                talk.socket.close()
    return run


CASES = [Case(f"{COUNT} connections at once, IPv{f}", 90, many(f)) for f in (4, 6)]
