"""An ackd on a TAP of this namespace, and its end: a daemon that does not end in order, or whose sanitizers complained, fails the case."""
import itertools
import os
import signal
import socket
import subprocess
import tempfile

import harness

_number = itertools.count()
_running = []


class Daemon:
    """`with Daemon() as d:` a daemon with the services on both families: d.v4 and d.v6 are its addresses, d.host4 and d.host6 the kernel's."""

    def __init__(self, *options, sanitized=True, offload=True, link=None):
        n = next(_number)
        self.tap = link or f"ackd{n}"
        self.v4, self.host4 = f"10.9.{n}.2", f"10.9.{n}.1"
        self.v6, self.host6 = f"fd00:9:{n:x}::2", f"fd00:9:{n:x}::1"
        self.directory = tempfile.TemporaryDirectory(prefix="ackd-interop-")
        self.socket = os.path.join(self.directory.name, "control.sock")
        self.log = os.path.join(self.directory.name, "log")
        self.program = os.path.join(harness.build(sanitized), "daemon", "ackd")
        self.command = [self.program, "--link", f"tap:{self.tap}",
                        "--address", f"{self.v4}/24", "--address", f"{self.v6}/64",
                        "--host-address", f"{self.host4}/24", "--host-address", f"{self.host6}/64",
                        "--service", "echo,discard,chargen", "--socket", self.socket,
                        *([] if offload else ["--no-offload"]), *options]
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        _running.append(self)
        harness.until(lambda: "is ready" in self.logged() or self.process.poll() is not None, 10, "the daemon is ready")
        if self.process.poll() is not None:
            _running.remove(self)
            raise AssertionError(f"the daemon ended with {self.process.returncode}: {self.logged()}")

    def logged(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def stop(self):
        """The orderly end: its exit status."""
        if self in _running:
            _running.remove(self)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the daemon did not end within 15 s of SIGTERM") from None

    def kill(self):
        if self in _running:
            _running.remove(self)
        self.process.kill()
        self.process.wait()

    def __exit__(self, kind, error, trace):
        status = self.stop()
        logged = self.logged()
        if kind is not None or status != 0:
            print("  log of the daemon:\n" + "".join(f"    {line}\n" for line in logged.splitlines()[-40:]), end="")
        self.directory.cleanup()
        if kind is None:
            harness.equal(status, 0, "the daemon's exit status")
            harness.check("Sanitizer" not in logged and "runtime error" not in logged, "a sanitizer complained")

    def address(self, family):
        return self.v4 if family == 4 else self.v6

    def connect(self, port, family=4, timeout=10, before=None):
        """A kernel socket that is connected to a port of the daemon. `before` may set options first."""
        s = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_STREAM)
        s.settimeout(timeout)
        if before:
            before(s)
        try:
            s.connect((self.address(family), port))
        except BaseException:
            s.close()
            raise
        return s


def stop_all():
    for d in list(_running):
        d.kill()
