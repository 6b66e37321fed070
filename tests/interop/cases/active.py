"""ackd as the side that acts, by ackctl: it opens, half-closes, resets, probes and gives up, and the kernel is the server. Silence is made by a socket
filter that throws away all that reaches the kernel's socket."""
import ctypes
import errno
import hashlib
import os
import socket
import struct
import subprocess
import threading

import harness
from daemon import Daemon
from harness import Case, case, check, equal, until
from streams import MB, Source, read_digest, read_exactly, send_in_thread

SO_ATTACH_FILTER = 26
PORT = 5000


def ackctl(d, *words, status=0, data=None, seconds=30):
    """Runs ackctl: its output. Anything but the expected exit status is a failure."""
    program = os.path.join(harness.build(True), "client", "ackctl")
    done = subprocess.run([program, "--socket", d.socket, *words], input=data, capture_output=True, timeout=seconds, check=False)
    equal(done.returncode, status, f"exit status of ackctl {' '.join(words)} ({done.stderr.decode(errors='replace')})")
    return done.stdout if status == 0 else done.stderr.decode()


class Server:
    """A kernel socket that listens on the host's side."""

    def __init__(self, d, family, receive_buffer=None):
        self.address = d.host4 if family == 4 else d.host6
        self.socket = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.bind((self.address, PORT))
        self.socket.listen()
        self.socket.settimeout(10)

    @property
    def name(self):
        return f"[{self.address}]:{PORT}" if ":" in self.address else f"{self.address}:{PORT}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def open(self, d, *options):
        """A connection from ackd: (its id there, the kernel's socket)."""
        opened = ackctl(d, "open", *options, self.name).decode().strip()
        s, _ = self.socket.accept()
        s.settimeout(10)
        return opened, s


def state(d, connection):
    return ackctl(d, "show", connection, "state").decode().strip()


def silence(s):
    """From now on the kernel's socket hears nothing."""
    program = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # BPF: return 0
    s.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(program)))


def talk(family):
    def run():
        with Daemon() as d, Server(d, family) as server:
            opened, s = server.open(d)
            with s:
                equal(state(d, opened), "ESTABLISHED", "state")
                ackctl(d, "send", opened, "from ackd")
                equal(read_exactly(s, 9), b"from ackd", "received by the kernel")
                s.sendall(b"from the kernel")
                equal(ackctl(d, "recv", "--min", "15", opened), b"from the kernel", "received by ackd")
                s.shutdown(socket.SHUT_WR)
                until(lambda: state(d, opened) == "CLOSE-WAIT", 5, "CLOSE-WAIT")
                ackctl(d, "close", opened)
                equal(s.recv(1), b"", "after ackd's close")
    return run


def half_close(family):
    def run():
        with Daemon() as d, Server(d, family) as server:
            opened, s = server.open(d)
            with s:
                ackctl(d, "send", "--fin", opened, "the last word")
                equal(read_exactly(s, 13), b"the last word", "received by the kernel")
                equal(s.recv(1), b"", "the end of ackd's stream")
                until(lambda: state(d, opened) == "FIN-WAIT-2", 5, "FIN-WAIT-2")
                s.sendall(b"but not ours" * 10000)
                s.shutdown(socket.SHUT_WR)
                equal(ackctl(d, "recv", "--all", opened), b"but not ours" * 10000, "received after our half-close")
                until(lambda: state(d, opened) == "TIME-WAIT", 5, "TIME-WAIT")
    return run


def resets(family):
    def run():
        with Daemon() as d, Server(d, family) as server:
            opened, s = server.open(d)
            with s:
                ackctl(d, "abort", opened)
                until(lambda: s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNRESET, 5, "the kernel sees the reset")
            opened, s = server.open(d)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()
            said = ackctl(d, "recv", opened, status=1)
            check("ECONNRESET" in said and "RESET_BY_PEER" in said, said)
    return run


def refused(family):
    def run():
        with Daemon() as d:
            with Server(d, family) as server:
                name = server.name
            check("ECONNREFUSED" in ackctl(d, "open", name, status=1), "not ECONNREFUSED")
    return run


@case("ackd's keepalive: an answering peer lives, a silent one ends")
def keepalive():
    with Daemon() as d, Server(d, 4) as server:
        options = ("-O", "keepalive=on", "-O", "keepalive_idle_ms=500ms", "-O", "keepalive_interval_ms=300ms", "-O", "keepalive_count=2")
        opened, s = server.open(d, *options)
        with s:
            sent = until(lambda: keepalives(d) >= 2 and keepalives(d), 10, "two probes")
            equal(state(d, opened), "ESTABLISHED", f"state after {sent} answered probes")
            silence(s)
            said = ackctl(d, "recv", opened, status=1)
            check("ETIMEDOUT" in said, said)


def keepalives(d):
    for line in ackctl(d, "stats").decode().splitlines():
        words = line.split()
        if "keepalive_probes" in words:
            return int(words[0])
    return 0


@case("ackd's user timeout ends a connection whose data nobody acknowledges")
def user_timeout():
    with Daemon() as d, Server(d, 6) as server:
        opened, s = server.open(d, "-O", "user_timeout_ms=1500ms")
        with s:
            silence(s)
            ackctl(d, "send", opened, "into the void")
            said = ackctl(d, "recv", opened, status=1)
            check("ETIMEDOUT" in said, said)


def ackd_does_not_read(family):
    def run():
        with Daemon() as d, Server(d, family) as server:
            opened, s = server.open(d)
            with s:
                source = Source(16 * MB, seed=3)
                join = send_in_thread(s, source)
                def closed():  # less than a unit of the scaled field is told as 0
                    window, shift = map(int, ackctl(d, "show", opened, "rcv_wnd", "rcv_wscale").decode().split())
                    return window < 1 << shift
                until(closed, 20, "ackd's window closes")
                got = ackctl(d, "recv", "--all", opened)
                join()
                equal((len(got), hashlib.blake2b(got, digest_size=16).hexdigest()), (source.total, source.digest.hexdigest()),
                      "received by ackd")
    return run


def kernel_does_not_read(family):
    def run():
        with Daemon() as d, Server(d, family, receive_buffer=32768) as server:
            source = Source(8 * MB, seed=4)
            data = b"".join(bytes(b) for b in source.blocks())
            opened, s = server.open(d)
            with s:
                program = os.path.join(harness.build(True), "client", "ackctl")
                with subprocess.Popen([program, "--socket", d.socket, "send", "--fin", opened], stdin=subprocess.PIPE) as sender:
                    feeder = send_to_pipe(sender, data)
                    until(lambda: "0" == ackctl(d, "show", opened, "snd_wnd").decode().split()[0], 20, "the kernel's window closes")
                    equal(read_digest(s), (source.total, source.digest.hexdigest()), "received by the kernel")
                    feeder.join(10)
                    equal(sender.wait(10), 0, "exit status of ackctl send")
    return run


def send_to_pipe(process, data):
    def work():
        process.stdin.write(data)
        process.stdin.close()
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def accepted(family):
    def run():
        with Daemon() as d:
            listener = ackctl(d, "listen", "-4" if family == 4 else "-6", "[::]:6000" if family == 6 else ":6000").decode().strip()
            with d.connect(6000, family) as s:
                s.sendall(b"before accept")
                connection = ackctl(d, "accept", listener).decode().strip()
                equal(ackctl(d, "recv", "--min", "13", connection), b"before accept", "received by ackd")
                ackctl(d, "send", connection, "welcome")
                equal(read_exactly(s, 7), b"welcome", "received by the kernel")
                ackctl(d, "close", connection)
                equal(s.recv(1), b"", "after ackd's close")
    return run


@case("ackctl nc carries 64 MB each way", 120)
def netcat():
    with Daemon(sanitized=False) as d, Server(d, 4) as server:
        source, back = Source(64 * MB, seed=5), Source(64 * MB, seed=6)
        data = b"".join(bytes(b) for b in source.blocks())
        program = os.path.join(harness.build(False), "client", "ackctl")
        with subprocess.Popen([program, "--socket", d.socket, "nc", server.address, str(PORT)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as nc:
            s, _ = server.socket.accept()
            with s:
                s.settimeout(20)
                feeder = send_to_pipe(nc, data)
                join = send_in_thread(s, back)
                digest = hashlib.blake2b(digest_size=16)
                reader = read_pipe(nc, digest)
                equal(read_digest(s), (source.total, source.digest.hexdigest()), "received by the kernel")
                join()
                reader.join(30)
                feeder.join(10)
                equal(digest.hexdigest(), back.digest.hexdigest(), "digest of what nc wrote")
                equal(nc.wait(10), 0, "nc's exit status")


def read_pipe(process, digest):
    def work():
        while part := process.stdout.read(MB):
            digest.update(part)
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


CASES = [Case(f"{what}, IPv{family}", 60, make(family))
         for what, make in (("ackd opens, talks and closes after the kernel", talk), ("ackd half-closes and reads on", half_close),
                            ("a reset by ackd, a reset by the kernel", resets), ("a refused open", refused),
                            ("ackd listens and accepts", accepted),
                            ("ackd's reader stops and goes on", ackd_does_not_read),
                            ("the kernel's reader stops and ackd's goes on", kernel_does_not_read))
         for family in (4, 6)]
