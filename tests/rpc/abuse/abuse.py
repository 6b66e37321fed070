"""Clients that misbehave: garbage, messages that lie about their size or unpack to much, unknown methods, thousands of idle connections, readers that
stop, clients that die. After each a well-behaved client beside them is served as before, and the daemon's memory stays within its stated buffers."""
import os
import queue
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

    def dial(self, *options):
        return grpc.insecure_channel("unix://" + self.socket, options=[("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1), *options])

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


def open_connection(port, idle_ms=60000, options=b""):
    answer = d.call("Tcp/Open", text(2, endpoint(port)) + text(4, options) + text(5, number(2, idle_ms)) + number(6, 5000))
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


# ---- readers that stop. Each shares its HTTP/2 connection with a stream that must not notice.

SEND_QUEUE = 1 << 20  # bytes that the daemon keeps of one HTTP/2 connection for a client that does not read
SLACK = 8 << 20       # the allocator's, the rings of events, the clients' own buffers on the socket


def inspect(connection):
    """A row of Inspect.Get: {field: value}."""
    return {key: values[0] for key, values in fields(fields(d.call("Inspect/Get", number(1, connection)))[1][0]).items()}


def port_of(row, side):
    return fields(row[side])[2][0]


LOCAL, REMOTE, RECV_Q, SND_WND, RCV_WND, RCV_BUFFER, BYTES_RECEIVED = 3, 4, 20, 26, 32, 35, 61


def peer_of(connection):
    """The row of the other end, which is ours too."""
    local = port_of(inspect(connection), LOCAL)
    for part in d.channel.unary_stream("/ackd.v1.Inspect/List")(b"", timeout=20):
        for row in fields(part).get(1, []):
            row = {key: values[0] for key, values in fields(row).items()}
            if REMOTE in row and fields(row[REMOTE]).get(2, [0])[0] == local:
                return row[1]
    raise AssertionError("the peer is not there")


def until(what, condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def expect_closed_window(connection):
    """The peer may send less than a segment, sends nothing, and its data wait on its side."""
    peer = peer_of(connection)
    until("the peer's window is closed", lambda: inspect(peer).get(SND_WND, 0) < 1460 and inspect(connection).get(RCV_WND, 0) < 1460)
    row = inspect(connection)
    time.sleep(1)
    again = inspect(connection)
    if again[RECV_Q] - row[RECV_Q] > 1460 or inspect(peer).get(SND_WND, 0) >= 1460:
        raise AssertionError("the window opened, and nobody read")
    return again


class Echo:
    """A healthy stream: what goes up comes down."""

    def __init__(self, channel):
        self.connection, self.at = open_connection(7), 0
        self.up = queue.SimpleQueue()
        self.down = channel.stream_stream("/ackd.v1.Tcp/Stream")(iter(self.up.get, None))
        self.up.put(number(1, self.connection))

    def turn(self, size=32768):
        self.up.put(number(3, self.at) + text(4, b"e" * size))
        self.at += size
        got = 0
        while got < size:
            got += len(fields(next(self.down)).get(2, [b""])[0])

    def rate(self, seconds=0.5, rounds=4):
        """Bytes a second, the best of some rounds: others use this machine, too."""
        best = 0
        for _n in range(rounds):
            began, moved = time.monotonic(), 0
            while time.monotonic() - began < seconds:
                self.turn()
                moved += 32768
            best = max(best, moved / (time.monotonic() - began))
        return best

    def stop(self):
        self.up.put(None)
        self.down.cancel()


class Beside:
    """`with Beside(bound) as b:` measures a healthy stream on the connection b.channel, runs the body, in which a reader stops, and
    then expects the same rate (half of it: this machine is not ours alone) and no more than `bound` bytes of memory."""

    def __init__(self, bound):
        self.bound = bound

    def __enter__(self):
        # Without the probe a stream's window is 64 KiB; with it the client takes megabytes that nobody reads into its own memory.
        self.channel = d.dial(("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65535))
        self.healthy = Echo(self.channel)
        self.rate = self.healthy.rate()
        self.memory = d.memory()
        return self

    def check(self):
        for attempt in range(3):  # a burst of others' work passes, a stall does not
            during = self.healthy.rate()
            if during >= self.rate / 2:
                break
        else:
            raise AssertionError(f"the healthy stream moves {during:.0f} bytes/s instead of {self.rate:.0f}")
        if inspect(self.healthy.connection).get(RCV_WND, 0) < 1460:
            raise AssertionError("the healthy stream's window closed")
        grown = d.memory() - self.memory
        if grown > self.bound:
            raise AssertionError(f"{grown} bytes more, {self.bound} are stated")

    def __exit__(self, kind, error, trace):
        self.healthy.stop()
        self.channel.close()


@case("a reader that stops on Stream")
def _():
    c = open_connection(19)  # chargen sends for ever
    peer = peer_of(c)
    buffers = SEND_QUEUE + 2 * (4 << 20)  # and the two ends' largest buffers, since the peer is ours, too
    with Beside(buffers + SLACK) as b:
        stream = b.channel.stream_stream("/ackd.v1.Tcp/Stream")(iter([number(1, c) + number(8, 1)]))
        next(stream)
        row = expect_closed_window(c)
        if row[RECV_Q] > row[RCV_BUFFER]:
            raise AssertionError(f"{row[RECV_Q]} bytes in a buffer of {row[RCV_BUFFER]}")
        b.check()
        if inspect(peer).get(SND_WND, 0) >= 1460:
            raise AssertionError("the peer's window opened")
        for _n in range(200):  # it reads again: the window opens
            next(stream)
        until("the peer sends on", lambda: inspect(c)[BYTES_RECEIVED] > row[BYTES_RECEIVED])
        stream.cancel()


@case("a reader that stops on Receive")
def _():
    c = open_connection(19, options=number(1, 2 << 20))  # rcv_buffer_bytes: more than an answer has
    buffers = SEND_QUEUE + 200 * 65536 + 2 * (4 << 20)  # an answer may always have its own stream's window
    with Beside(buffers + SLACK) as b:
        until("data are there", lambda: inspect(c).get(RCV_WND, 0) < 1460)
        answers = []
        for _n in range(200):  # the largest answers, which nobody takes
            answers.append(b.channel.unary_stream("/ackd.v1.Tcp/Receive")(number(1, c) + number(3, 1 << 20) + number(5, 50)))
        expect_closed_window(c)
        b.check()
        got = [fields(next(answer)) for answer in answers]  # it reads again: each is what it asked for
        if any(len(one.get(2, [b""])[0]) > 1 << 20 or one.get(1, [0])[0] != 0 for one in got) or not got[0].get(2):
            raise AssertionError("the answers are not those of the question")
        at = len(got[0][2][0])
        d.call("Tcp/Receive", number(1, c) + number(2, at) + number(5, 5000))
        until("the peer sends on", lambda: inspect(c)[BYTES_RECEIVED] > at)


@case("a reader that stops on Watch")
def _():
    noise = Echo(d.channel)
    with Beside(SEND_QUEUE + SLACK) as b:
        b.healthy.rate(rounds=1)  # the rings of events are full before, whatever the cases before did
        b.memory = d.memory()
        watch = b.channel.unary_stream("/ackd.v1.Inspect/Watch")(number(2, 1) + number(5, 1) + number(6, 64))
        next(watch)
        noise.rate(rounds=2)  # segments that it should read
        b.check()
        if inspect(peer_of(noise.connection)).get(SND_WND, 0) < 1460:
            raise AssertionError("a watcher closed the window of what it watches")
        began, lost, last = time.monotonic(), 0, 0
        while not lost and time.monotonic() - began < 20:  # it reads again: LOST with a count, and no gap in the numbers
            event = fields(next(watch))
            if last and event[1][0] != last + 1:
                raise AssertionError(f"event {event[1][0]} after {last}")
            last, lost = event[1][0], fields(event[10][0])[1][0] if 10 in event else 0
        if not lost:
            raise AssertionError("it lost nothing")
        watch.cancel()
    noise.stop()


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
