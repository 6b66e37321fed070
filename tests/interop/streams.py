"""Bytes for the cases: a seeded stream that two sides can make alike, chargen's pattern (RFC 864), and pumping both through sockets."""
import hashlib
import threading

ECHO, DISCARD, CHARGEN = 7, 9, 19
MB = 1 << 20

_BLOCK = 4 * MB


def _line(n):
    return bytes(32 + (n + i) % 95 for i in range(72)) + b"\r\n"


PATTERN = b"".join(_line(n) for n in range(95))


def pattern(offset, length):
    """chargen's bytes from `offset` on."""
    start = offset % len(PATTERN)
    repeats = (start + length) // len(PATTERN) + 1
    return (PATTERN * repeats)[start:start + length]


def _digest():
    return hashlib.blake2b(digest_size=16)


class Source:
    """`total` bytes that look random and depend on a seed: blocks of one digest's output repeated, each with its number in front."""

    def __init__(self, total, seed=0):
        self.total, self.digest = total, _digest()
        filler = hashlib.shake_128(b"%d" % seed).digest(_BLOCK)
        self.filler = memoryview(filler)

    def blocks(self):
        sent = number = 0
        while sent < self.total:
            mark = b"%016d" % number
            for piece in (mark, self.filler[:min(_BLOCK, max(0, self.total - sent - len(mark)))]):
                piece = piece[:self.total - sent]
                if piece:
                    self.digest.update(piece)
                    sent += len(piece)
                    yield piece
            number += 1


def send_in_thread(s, source, then_close=True):
    """Sends a source from a thread of its own, so that the caller can read; join() raises what went wrong."""
    failure = []

    def work():
        try:
            for block in source.blocks():
                s.sendall(block)
            if then_close:
                import socket
                s.shutdown(socket.SHUT_WR)
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()

    def join():
        thread.join(30)
        if failure:
            raise failure[0]
        if thread.is_alive():
            raise AssertionError("the sender is stuck")

    return join


def read_digest(s):
    """(bytes, digest) of everything up to the end of the stream."""
    digest, total = _digest(), 0
    buffer = bytearray(MB)
    view = memoryview(buffer)
    while True:
        n = s.recv_into(buffer)
        if n == 0:
            return total, digest.hexdigest()
        digest.update(view[:n])
        total += n


def read_exactly(s, n):
    parts = []
    while n > 0:
        part = s.recv(min(n, MB))
        if not part:
            raise AssertionError(f"the stream ended {n} bytes early")
        parts.append(part)
        n -= len(part)
    return b"".join(parts)


def read_to_end(s):
    parts = []
    while part := s.recv(MB):
        parts.append(part)
    return b"".join(parts)
