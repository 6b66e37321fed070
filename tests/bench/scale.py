"""The metrics of ./dev bench that are no stream, ping or short connection: memory, many connections at once, the listing, gRPC's Stream, start and idle.

Each has a daemon of its own, so that what one leaves behind is not in another's figure."""
import json
import os
import resource
import statistics
import subprocess
import time

from place import BUILD, CHARGEN, DISCARD, ECHO, PROGRAMS, read
from report import Row
from subjects import CLIENT_CPU, CONGESTION, SERVER_CPU, Ackd, Kernel, await_line, end, kernel_retransmissions, on_cpu

HELD = 100_000
MILLION = 1_000_000
PORTS = 64_000        # of one address of the synthetic peer
FLOOD_SOURCES = 16
UNDER_WAY = 256       # handshakes at a time
ACTIVE = 10           # connections at a time that carry something
CLOSES_PORT = 4000


class Void(Exception):
    """A measurement that does not count; the text says why."""


class Commanded:
    """A program of ours that takes commands on stdin and answers each with a line of JSON."""

    def __init__(self, name, *arguments):
        self.name = name
        self.process = subprocess.Popen([os.path.join(PROGRAMS, "bench-" + name), *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, preexec_fn=on_cpu(CLIENT_CPU))
        await_line(self.process, "ready", name)

    def ask(self, *words):
        try:
            self.process.stdin.write(" ".join(map(str, words)) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        line = self.process.stdout.readline()
        if not line.startswith("{"):
            raise Void(f"{self.name}: {line.strip() or 'it ended'}")
        said = json.loads(line)
        for trouble in ("unverified", "unfinished", "repeats", "strays"):
            if said.get(trouble):
                raise Void(f"{words[0]}: {said[trouble]} {trouble}" if trouble != "unverified" else said[trouble])
        return said

    def stop(self):
        """At the end of its input it ends, and its connections with it."""
        self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            end(self.process)


class Hold:
    """The kernel's TCP as a client with many connections: as many programs as the limit of descriptors asks for, one after another at work."""

    def __init__(self, subject):
        self.subject, self.programs = subject, []
        self.most = min(HELD, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 100)

    def ask(self, command, number, under_way):
        if command == "open":
            parts = []
            for left in range(number, 0, -self.most):
                self.programs.append(Commanded("hold", self.subject.v4, ECHO, CONGESTION, *self.subject.host4))
                parts.append(self.programs[-1].ask(command, min(left, self.most), under_way))
        else:
            parts = [program.ask(command, number, under_way) for program in self.programs]
        return {"operations": sum(p["operations"] for p in parts), "ns": sum(p["ns"] for p in parts)}

    def stop(self):
        for program in self.programs:
            program.stop()


def hold(subject):
    return Hold(subject)


def flood(subject):
    first = subject.v4.rsplit(".", 1)[0] + ".200"
    return Commanded("flood", subject.link, subject.v4, first, FLOOD_SOURCES)


def unspoilt(subject, work):
    """What `work` yields, when nobody sent anything again and nothing was dropped meanwhile."""
    def counts():
        return kernel_retransmissions("self"), subject.retransmissions(), subject.drops()
    before = counts()
    result = work()
    for n, m, what in zip(counts(), before, ("segments retransmitted by the client", "segments retransmitted by the peer", "drops on the link")):
        if n > m:
            raise Void(f"{n - m} {what}")
    return result


def rate(said):
    return said["operations"] * 1e9 / said["ns"]


class Metric:
    """`run` yields rows by (figure, subject) and notes."""
    ours = "ackd"
    port, one_core = None, False

    def __init__(self, name, what, baselines=()):
        self.name, self.what, self.baselines = name, what, list(baselines)

    def needs(self):
        """Subjects that are shared with other metrics."""
        return []

    def steps(self, rounds):
        return rounds

    def figures(self):
        return [self.name]

    def run(self, bench):
        """Void measurements name the metric as void."""
        rows, notes = {}, []
        try:
            self.measure(bench, rows, notes)
        except Void as why:
            notes.append(f"VOID {self.name}: {why}")
        for figure in self.figures():
            if not any(f == figure for f, _ in rows):
                rows[(figure, self.ours)] = Row("", [None])
        return rows, notes

    def attempt(self, bench, work, notes):
        """A measurement that may be repeated; None when it was void each time."""
        for _ in range(1 + bench.repeats):
            try:
                return work()
            except Void as why:
                notes.append(f"{self.name}: a measurement void and repeated: {why}")
        return None


# ---- memory ---------------------------------------------------------------------------------------

class Memory(Metric):
    """Resident bytes a connection: what the daemon has more than before, by how many there are."""

    KINDS = ["handshake", "data", "syn-received", "time-wait"]
    HALF = 12_000         # over three listeners, each of which keeps some 4000 half-open ones
    WAITS = 60_000

    def figures(self):
        return [f"{self.name}.{kind}" for kind in self.KINDS]

    def steps(self, rounds):
        return 3

    def measure(self, bench, rows, notes):
        for number, work in enumerate((self.established, self.half_open, self.time_wait)):
            bench.progress.step(self, work.__name__.replace("_", "-"))
            ackd = bench.own(Ackd(f"ackd-memory{number}", f"ackdm{number}", 70 + number, bench.folder))
            try:
                self.warm(bench, ackd)
                work(ackd, rows)
            except Void as why:
                notes.append(f"VOID {self.name}, {work.__name__}: {why}")
            bench.disown(ackd)
        return rows

    WARM = 9_000          # the daemon's ring of events has 8192 places

    def warm(self, bench, ackd):
        """Short connections until its rings of events and of closed connections are full: that memory is the same for any number of connections."""
        done = 0
        for _ in range(30):
            got, why = bench.client("connect", ackd, ECHO, ["--connections", "64"], bench.seconds)
            done += got["operations"] if got else 0
            if done >= self.WARM:
                return
        raise Void(f"short connections: {why}")

    def tell(self, rows, kind, extra_bytes, count):
        rows[(f"{self.name}.{kind}", self.ours)] = Row("bytes", [extra_bytes / count])

    def established(self, ackd, rows):
        client = hold(ackd)
        before = ackd.resident()
        try:
            client.ask("open", HELD, 64)
            time.sleep(1)
            self.tell(rows, "handshake", ackd.resident() - before, HELD)
            client.ask("send", 1, 64)
            time.sleep(1)
            self.tell(rows, "data", ackd.resident() - before, HELD)
        finally:
            client.stop()

    def half_open(self, ackd, rows):
        peer = flood(ackd)
        each = self.HALF // 3
        try:
            peer.ask("half", 0, 100, ECHO)
            before = ackd.resident()
            for i, port in enumerate((ECHO, DISCARD, CHARGEN)):
                peer.ask("half", 100 + i * each, each - 100 * (port == ECHO), port)
            states = {s["state"]: int(s.get("count", 0)) for s in ackd.ackctl("daemon", "status", "-j")["states"]}
            count = max((n for name, n in states.items() if name.endswith("SYN_RECEIVED")), default=0)
            if count < self.HALF * 0.9:
                raise Void(f"only {count} are in SYN-RECEIVED")
            self.tell(rows, "syn-received", ackd.resident() - before, count - 100)
        finally:
            peer.stop()

    def time_wait(self, ackd, rows):
        user = subprocess.Popen([os.path.join(PROGRAMS, "bench-stream"), "closes", ackd.socket, str(CLOSES_PORT), str(self.WAITS + 500)],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=on_cpu(SERVER_CPU))   # the peer does not sleep
        peer = None
        try:
            await_line(user, "ready", "closes")
            peer = flood(ackd)
            peer.ask("ends", 0, 500, CLOSES_PORT, 64)
            before = ackd.resident()
            peer.ask("ends", 500, self.WAITS, CLOSES_PORT, 64)
            self.tell(rows, "time-wait", ackd.resident() - before, self.WAITS)
        finally:
            end(user)
            if peer:
                peer.stop()


# ---- many connections -----------------------------------------------------------------------------

def short_connections(bench, subject):
    """Short connections a second, as the metric connect has them."""
    got, why = bench.client("connect", subject, ECHO, ["--connections", "64"], bench.seconds)
    if not got:
        raise Void(f"short connections: {why}")
    return rate(got)


class OpenHeld(Metric):
    """100,000 connections of the kernel's, opened and held."""

    def measure(self, bench, rows, notes):
        ours, base = Row("1/s"), Row("1/s")
        for number in range(min(3, bench.rounds)):
            bench.progress.step(self, f"round {number + 1}")
            ackd = bench.own(Ackd(f"ackd-open{number}", f"ackdo{number}", 80 + number, bench.folder))
            client = hold(ackd)
            try:
                short_connections(bench, ackd)
                base.values.append(self.attempt(bench, lambda a=ackd: short_connections(bench, a), notes))
                said = unspoilt(ackd, lambda c=client: c.ask("open", HELD, 64))
                ours.values.append(rate(said))
            except Void as why:
                ours.values.append(None)
                notes.append(f"{self.name}: a round void: {why}")
            finally:
                client.stop()
                bench.disown(ackd)
        rows[(self.name, self.ours)], rows[(self.name, "connect")] = ours, base

    def steps(self, rounds):
        return min(3, rounds)


class Million(Metric):
    """A million connections of the synthetic peer; traffic among them; short connections beside."""

    def figures(self):
        return [self.name, *(f"{self.name}.{part}" for part in ("active-10", "uniform-100k", "uniform", "bytes"))]

    def steps(self, rounds):
        return 1 + rounds

    def needs(self):
        return ["ackd"]

    def measure(self, bench, rows, notes):
        bench.progress.step(self, "open")
        held = bench.million()
        rows[(self.name, self.ours)] = Row("1/s", [held.rate])
        rows[(self.name, "connect")] = Row("1/s", [held.short_rate])
        rows[(self.name + ".bytes", self.ours)] = Row("bytes", [held.bytes_each])
        alone = bench.get("ackd")
        few = flood(alone)
        try:
            few.ask("open", 0, ACTIVE, ECHO, ACTIVE)
            self.traffic(bench, rows, notes, (few, alone), (held.peer, held.ackd))
            few.ask("close", 0, ACTIVE, ACTIVE)
        finally:
            few.stop()

    def traffic(self, bench, rows, notes, alone, among):
        """Ten at a time, each with a byte to echo: ten that are alone; ten among the million; any of 100,000; any of them all."""
        kinds = [("alone", alone, ACTIVE), ("active-10", among, ACTIVE), ("uniform-100k", among, HELD), ("uniform", among, MILLION)]
        got = {kind: (Row("1/s"), Row("us")) for kind, _, _ in kinds}
        for number in range(bench.rounds):
            bench.progress.step(self, f"traffic, round {number + 1}")
            for kind, (peer, subject), count in kinds[number % 4:] + kinds[:number % 4]:
                value = self.attempt(bench, lambda p=peer, s=subject, n=count: self.echo(bench, p, s, n), notes) or (None, None)
                for row, v in zip(got[kind], value):
                    row.values.append(v)
        for kind, (speed, cpu) in got.items():
            if kind != "alone":
                figure = f"{self.name}.{kind}"
                rows[(figure, self.ours)], rows[(figure, "alone")] = speed, got["alone"][0]
                rows[(figure + ".cpu", self.ours)], rows[(figure + ".cpu", "alone")] = cpu, got["alone"][1]

    @staticmethod
    def echo(bench, peer, subject, count):
        def work():
            before = subject.times()[0]
            said = peer.ask("echo", 0, count, bench.seconds, ACTIVE)
            return rate(said), (subject.times()[0] - before) / 1000 / said["operations"]
        return unspoilt(subject, work)


class Held:
    """A daemon that has a million connections."""

    def __init__(self, bench):
        self.ackd = bench.own(Ackd("ackd-million", "ackdm", 90, bench.folder))
        short_connections(bench, self.ackd)
        self.short_rate = statistics.median(short_connections(bench, self.ackd) for _ in range(3))
        self.peer = flood(self.ackd)
        before = self.ackd.resident()
        said = unspoilt(self.ackd, lambda: self.peer.ask("open", 0, MILLION, ECHO, UNDER_WAY))
        time.sleep(1)
        self.rate = rate(said)
        self.bytes_each = (self.ackd.resident() - before) / MILLION

    def stop(self, bench):
        end(self.peer.process)
        bench.disown(self.ackd)


class Incast(Metric):
    """10,000 connections send 1 KB at once, and have it back."""

    COUNT, BYTES = 10_000, 1024

    def measure(self, bench, rows, notes):
        subjects = {"ackd": bench.own(Ackd("ackd-incast", "ackdi", 84, bench.folder)), "kernel": bench.own(Kernel("kernel-incast", "vethi", 85))}
        clients = {}
        try:
            for name, subject in subjects.items():
                clients[name] = hold(subject)
                clients[name].ask("open", self.COUNT, 64)
                rows[(self.name, name)] = Row("Gbit/s")
            for number in range(bench.rounds):
                bench.progress.step(self, f"round {number + 1}")
                for name in sorted(subjects, reverse=number % 2):
                    rows[(self.name, name)].values.append(
                        self.attempt(bench, lambda n=name: self.once(subjects[n], clients[n]), notes))
            for name, row in rows.items():
                if row.value() is None:
                    notes.append(f"VOID {self.name}, {name[1]}: most rounds were void")
        finally:
            for client in clients.values():
                client.stop()
            for subject in subjects.values():
                bench.disown(subject)

    def once(self, subject, client):
        said = unspoilt(subject, lambda: client.ask("send", self.BYTES, self.COUNT))
        return 8 * self.COUNT * self.BYTES / said["ns"]


# ---- the listing ----------------------------------------------------------------------------------

class Listing(Metric):
    """`ackctl ls` of a million connections into a file."""

    def figures(self):
        return [self.name, self.name + ".callback"]

    def steps(self, rounds):
        return 1 + min(3, rounds)

    def measure(self, bench, rows, notes):
        bench.progress.step(self, "open")
        held = bench.million()
        took, callback = Row("s"), Row("us")
        for number in range(min(3, bench.rounds)):
            bench.progress.step(self, f"round {number + 1}")
            before = held.ackd.ackctl("daemon", "status", "-j")
            took.values.append(self.once(bench, held.ackd))
            callback.values.append(longest_between(before, held.ackd.ackctl("daemon", "status", "-j")))
        if max(callback.values, default=0) > 500:
            status = held.ackd.ackctl("daemon", "status", "-j")
            notes.append(f"{self.name}: the longest callback ever used {int(status['longest_callback_cpu_ns']) / 1000:.0f} us, in "
                         f"{status['longest_callback_cpu_name']}")
        rows[(self.name, self.ours)], rows[(self.name + ".callback", self.ours)] = took, callback

    def once(self, bench, ackd):
        sink = os.path.join(bench.folder, "rows")
        with open(sink, "wb") as out:
            began = time.monotonic()
            done = subprocess.run([os.path.join(BUILD, "client", "ackctl"), "--socket", ackd.socket, "ls", "-H", "state", "established"], stdout=out, stderr=subprocess.PIPE,
                                  text=True, check=False, timeout=120, preexec_fn=on_cpu(CLIENT_CPU))
            took = time.monotonic() - began
        with open(sink, "rb") as lines:
            count = sum(1 for _ in lines)
        os.unlink(sink)
        if done.returncode != 0 or count != MILLION:
            raise Void(f"{count} rows were listed; {done.stderr.strip()}")
        return took


def longest_between(before, after):
    """Microseconds of processor time of the longest callback between two answers of GetStatus: exact when it is the longest ever, else the upper end
    of the histogram's class that it is in."""
    ever = int(after["longest_callback_cpu_ns"])
    if ever > int(before["longest_callback_cpu_ns"]):
        return ever / 1000
    longest = 0
    for was, now in zip(before["callbacks"], after["callbacks"]):
        if int(now.get("cpu_count", 0)) > int(was.get("cpu_count", 0)):
            longest = int(now["below_ns"])
    return min(longest, ever) / 1000


# ---- gRPC's Stream --------------------------------------------------------------------------------

class Stream(Metric):
    """Bytes through a Stream between a client in C and a service of the daemon, beside a bare socket of the same kind between the same processors."""

    def __init__(self, name, what, direction):
        super().__init__(name, what, ["unix"])
        self.direction = direction

    def needs(self):
        return ["ackd"]

    def steps(self, rounds):
        return 2 * rounds

    def measure(self, bench, rows, notes):
        ackd = bench.get("ackd")
        program = os.path.join(PROGRAMS, "bench-stream")
        writer, reader = (CLIENT_CPU, SERVER_CPU) if self.direction == "send" else (SERVER_CPU, CLIENT_CPU)
        commands = {"ackd": ([program, self.direction, ackd.socket, ackd.v4, str(bench.seconds)], CLIENT_CPU),
                    "unix": ([program, "unix", str(reader), str(bench.seconds)], writer)}
        for name in commands:
            rows[(self.name, name)] = Row("Gbit/s")
        rows[(self.name + ".cpu", "ackd")] = Row("s/GB")
        for number in range(bench.rounds):
            for name in sorted(commands, reverse=number % 2):
                bench.progress.step(self, f"round {number + 1}, {name}")
                before = ackd.times()[0]
                value = self.attempt(bench, lambda n=name: self.once(*commands[n]), notes)
                rows[(self.name, name)].values.append(8 * value[0] / value[1] if value else None)
                if name == "ackd":
                    whole = value[0] / (1 - 0.25) if value else None   # a quarter of the time comes before what counts
                    rows[(self.name + ".cpu", "ackd")].values.append((ackd.times()[0] - before) / whole if value else None)
        if rows[(self.name, "ackd")].value() is None:
            notes.append(f"VOID {self.name}: most rounds were void")

    @staticmethod
    def once(command, cpu):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, preexec_fn=on_cpu(cpu))
        if done.returncode != 0:
            raise Void(done.stderr.strip())
        said = json.loads(done.stdout)
        if said["unverified"] or not said["bytes"]:
            raise Void(said["unverified"] or "nothing was moved")
        return said["bytes"], said["ns"]


# ---- start and idle -------------------------------------------------------------------------------

class Start(Metric):
    """From exec to the line that says that it serves; it then has to answer."""

    def measure(self, bench, rows, notes):
        row = rows[(self.name, self.ours)] = Row("ms")
        for number in range(bench.rounds):
            bench.progress.step(self, f"round {number + 1}")
            ackd = Ackd(f"ackd-start{number}", f"ackds{number}", 100 + number % 50, bench.folder)
            began = time.monotonic()
            try:
                bench.own(ackd)
                took = time.monotonic() - began
                got, why = bench.client("connect", ackd, ECHO, ["--connections", "1"], 0.01)
                if not got:
                    raise Void(why)
                row.values.append(took * 1000)
            finally:
                bench.disown(ackd)


class Idle(Metric):
    """How often a daemon with addresses, services and a client that has gone wakes up when nothing happens."""

    def steps(self, rounds):
        return 1

    def measure(self, bench, rows, notes):
        ackd = bench.own(Ackd("ackd-idle", "ackdw", 86, bench.folder))
        try:
            bench.client("connect", ackd, ECHO, ["--connections", "8"], 0.05)
            bench.progress.step(self, f"{bench.idle_seconds} s")
            self.settle(ackd)
            frames = self.frames(ackd)
            before = self.switches(ackd)
            time.sleep(bench.idle_seconds)
            woken = self.switches(ackd) - before
            if self.frames(ackd) != frames:
                raise Void("frames came meanwhile")
            rows[(self.name, self.ours)] = Row(f"wake-ups in {bench.idle_seconds} s", [woken])
        finally:
            bench.disown(ackd)

    def settle(self, ackd):
        """Announcements are over, and whether neighbours are still there was asked: nothing in 6 s, or half a minute."""
        quiet, last = 0, self.switches(ackd)
        for _ in range(30):
            time.sleep(1)
            now = self.switches(ackd)
            quiet, last = quiet + 1 if now == last else 0, now
            if quiet == 6:
                return

    @staticmethod
    def switches(ackd):
        lines = read(f"/proc/{ackd.process.pid}/status").splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))

    @staticmethod
    def frames(ackd):
        line = next(line for line in read("/proc/net/dev").splitlines() if line.strip().startswith(ackd.link + ":"))
        words = line.split(":")[1].split()
        return words[1], words[9]
