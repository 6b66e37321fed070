"""Clients that misbehave: garbage, messages that lie about their size or unpack to much, unknown methods, thousands of idle connections, readers that
stop, clients that die. After each a well-behaved client beside them is served as before, and the daemon's memory stays within its stated buffers."""
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time

import grpc

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
BUILD = os.environ.get("ACKD_BUILD", os.path.join(ROOT, "build"))
ADDRESS = "10.9.0.1"
failures = 0


def varint(value):
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def number(field, value):
    return varint(field << 3) + varint(value)


def text(field, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def read_varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def fields(data):
    out, at = {}, 0
    while at < len(data):
        key, at = read_varint(data, at)
        if key & 7 == 0:
            value, at = read_varint(data, at)
        else:
            size, at = read_varint(data, at)
            value = data[at:at + size]
            at += size
        out.setdefault(key >> 3, []).append(value)
    return out


class Daemon:
    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="ackd-abuse-")
        self.socket = os.path.join(self.folder.name, "control.sock")
        self.log = open(os.path.join(self.folder.name, "log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen([os.path.join(BUILD, "daemon", "ackd"), "--link", "none", "--address", ADDRESS + "/24", "--service", "echo,discard,chargen",
                                         "--socket", self.socket], stderr=self.log)
        deadline = time.monotonic() + 30
        while not os.path.exists(self.socket):
            if time.monotonic() > deadline:
                raise RuntimeError("the daemon did not start")
            time.sleep(0.02)
        self.channel = self.dial()

    def dial(self):
        return grpc.insecure_channel("unix://" + self.socket, options=[("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)])

    def call(self, method, request=b"", timeout=20, channel=None):
        return (channel or self.channel).unary_unary("/ackd.v1." + method)(request, timeout=timeout)

    def raw(self):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(20)
        s.connect(self.socket)
        return s

    def memory(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmRSS"))

    def stop(self):
        self.process.terminate()
        return self.process.wait(20)


d = Daemon()


def case(name):
    def wrap(body):
        global failures
        try:
            body()
            if d.process.poll() is not None:
                raise AssertionError("the daemon is gone")
            d.call("Daemon/GetVersion")  # the client beside
            print(f"ok rpc abuse {name}", flush=True)
        except Exception as error:  # one line, and the next case still runs
            failures += 1
            print(f"not ok rpc abuse {name}: {type(error).__name__}: {str(error)[:300]!r}", flush=True)
    return wrap


def fails(code, method, request):
    try:
        d.call(method, request)
    except grpc.RpcError as error:
        if error.code() != code:
            raise AssertionError(f"{error.code()}: {error.details()}") from None
        return error
    raise AssertionError("it was answered")


def endpoint(port):
    return text(1, ADDRESS) + number(2, port)


def open_connection(port, idle_ms=60000):
    answer = d.call("Tcp/Open", text(2, endpoint(port)) + text(5, number(2, idle_ms)) + number(6, 5000))
    return fields(answer)[1][0]


@case("bytes that are no HTTP/2")
def _():
    for garbage in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 4096, os.urandom(4096), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 4096):
        with d.raw() as s:
            try:
                s.sendall(garbage)
                while s.recv(65536):
                    pass
            except (ConnectionResetError, BrokenPipeError):
                pass


@case("a preface and nothing more")
def _():
    keep = [d.raw() for _ in range(50)]
    for s in keep:
        s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    d.call("Daemon/GetVersion")
    for s in keep:
        s.close()


@case("unknown methods and services")
def _():
    fails(grpc.StatusCode.UNIMPLEMENTED, "Tcp/Nothing", b"")
    fails(grpc.StatusCode.UNIMPLEMENTED, "Nothing/Open", b"")
    fails(grpc.StatusCode.UNIMPLEMENTED, "Lab/Craft", b"")


@case("bytes that are no protobuf")
def _():
    for junk in (b"\xff" * 10, b"\x0a\xff\xff\xff\x7f", b"\x08", os.urandom(100)):
        try:
            d.call("Tcp/Open", junk)
        except grpc.RpcError as error:
            if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                raise AssertionError(error.code()) from None


@case("a message over the limit")
def _():
    fails(grpc.StatusCode.RESOURCE_EXHAUSTED, "Tcp/Send", number(1, 1) + text(3, b"x" * (5 << 20)))


@case("a message that unpacks to a hundred times its size")
def _():
    before = d.memory()
    bomb = text(1, text(6, b"") * 1000000)  # a million empty PortRanges: two bytes each
    fails(grpc.StatusCode.RESOURCE_EXHAUSTED, "Inspect/Kill", bomb)
    if d.memory() - before > 64 << 20:
        raise AssertionError(f"{d.memory() - before} bytes more")


@case("requests that make no sense")
def _():
    fails(grpc.StatusCode.NOT_FOUND, "Tcp/Send", number(1, 99999))
    fails(grpc.StatusCode.INVALID_ARGUMENT, "Tcp/Open", text(2, text(1, "not an address") + number(2, 80)))
    fails(grpc.StatusCode.INVALID_ARGUMENT, "Tcp/Listen", text(2, number(2, 70000)))
    c = open_connection(7)
    fails(grpc.StatusCode.OUT_OF_RANGE, "Tcp/Send", number(1, c) + number(2, 1000) + text(3, b"a gap"))


@case("ten thousand idle clients")
def _():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    before, idle = d.memory(), []
    try:
        for _n in range(min(10000, hard - 200)):
            s = socket.socket(socket.AF_UNIX)
            s.setblocking(False)
            try:
                s.connect(d.socket)
            except BlockingIOError:  # the queue is full: accepting pauses at the limit
                s.close()
                time.sleep(0.001)
                continue
            idle.append(s)
        d.call("Daemon/GetVersion")
        grown = (d.memory() - before) / max(len(idle), 1)
        if grown > 65536:
            raise AssertionError(f"{grown:.0f} bytes a client")
    finally:
        for s in idle:
            s.close()
    deadline = time.monotonic() + 30
    while True:  # a new client gets in again
        try:
            d.call("Daemon/GetVersion", channel=d.dial(), timeout=5)
            break
        except grpc.RpcError:
            if time.monotonic() > deadline:
                raise


@case("a reader of Stream that stops")
def _():
    before = d.memory()
    c = open_connection(19)  # chargen sends for ever
    stream = d.channel.stream_stream("/ackd.v1.Tcp/Stream")(iter([number(1, c)]))
    next(stream)
    other = open_connection(7)
    began, at = time.monotonic(), 0
    while time.monotonic() - began < 6:
        d.call("Tcp/Send", number(1, other) + number(2, at) + text(3, b"x" * 1000))
        got = fields(d.call("Tcp/Receive", number(1, other) + number(2, at) + number(4, 1000) + number(5, 5000)))
        at += len(got[2][0])
    grown = d.memory() - before
    stream.cancel()
    if at < 6000:
        raise AssertionError(f"the other connection moved only {at} bytes")
    if grown > 32 << 20:
        raise AssertionError(f"{grown} bytes more")


@case("a watcher that stops")
def _():
    before = d.memory()
    watch = d.channel.unary_stream("/ackd.v1.Inspect/Watch")(number(2, 1) + number(5, 1))
    next(watch)
    for _n in range(300):
        open_connection(7, 1000)
    grown = d.memory() - before
    watch.cancel()
    if grown > 64 << 20:
        raise AssertionError(f"{grown} bytes more")


CHILD = """
import sys, grpc, time
c = grpc.insecure_channel("unix://" + sys.argv[1])
s = c.stream_stream("/ackd.v1.Tcp/Session")(iter([b"\\x10\\x01"]), wait_for_ready=True)
first = next(s)
print("ready", flush=True)
time.sleep(60)
"""


@case("clients killed at any moment")
def _():
    for n in range(5):
        child = subprocess.Popen([sys.executable, "-c", CHILD, d.socket], stdout=subprocess.PIPE)
        if n % 2 == 0:
            child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        child.wait()
    deadline = time.monotonic() + 20
    while fields(d.call("Daemon/GetStatus")).get(14, [0])[0]:  # sessions
        if time.monotonic() > deadline:
            raise AssertionError("their sessions stay")
        time.sleep(0.05)


code = d.stop()
if code != 0:
    print(f"not ok rpc abuse the daemon ends in order: exit code {code}")
    failures += 1
else:
    print("ok rpc abuse the daemon ends in order")
sys.exit(1 if failures else 0)
