#!/usr/bin/env python3
"""path.py [--rounds N] [--quick] [--json] [--list] [NAME…]: ackd's TCP beside Linux's own on the same emulated path.

A kernel in the first namespace receives; a kernel in a second one and ackd send what chargen sends, both with the same congestion control and ample
buffers, through our link emulator (tests/bench/path.c). A row is a module, a round-trip time and a loss: each sender has a path of its own, loses the
same segments, and what counts is the median over ten rounds of the ratio of verified goodput. A row named share is both through one queue at once, after
a time to settle. Rounds whose paths are slow enough run beside each other. NAMEs choose rows by their parts (cubic, rtt20-loss1, share).
--json prints an object a line: metric, subject, value, unit, baseline, ratio, rounds.

A round is void when the emulator was late, a frame was dropped where no path drops it, or the bytes were not those of the pattern; it is run again, and
named. Where neither root nor a user namespace may use /dev/net/tun it prints SKIP with the reason."""
import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from place import BUILD, CHARGEN, PROGRAMS, Failed, Progress, enter_namespace, interface_drops, ip, read

RECEIVER, TO_KERNEL, TO_ACKD, OURS = "receiver", "sender", "wire", "ackd0"   # interfaces: three of the emulator, and ackd's TAP
# The emulator knows a sender by the last bit of its address, and a lane by the last byte of the receiver's.
SENDERS = {"kernel": "10.71.0.200", "ackd": "10.71.0.201"}
LANES = [f"10.71.0.{i + 1}" for i in range(32)]
CPUS = sorted(os.sched_getaffinity(0))
ROUNDS = 10
REPEATS = 2           # of a batch with a void round
LATE_SHARE = 0.02     # of the deliveries may be later than a tenth of the round-trip time, and a millisecond
LATE_LEAST_NS = 1_000_000
GOODPUT_GOAL, SHARE_GOAL = (0.95, 1.15), (0.8, 1.25)
LINUX_NAMES = {"newreno": "reno"}

SETTINGS = {
    "net/ipv4/tcp_no_metrics_save": "1",       # one run must not teach the next; ackd: share_metrics=off
    "net/ipv4/tcp_rmem": "4096 4194304 16777216",
    "net/ipv4/tcp_wmem": "4096 4194304 16777216",
    "net/ipv6/conf/all/disable_ipv6": "1",     # no chatter on the path
    "net/ipv6/conf/default/disable_ipv6": "1",
}
OPTIONS = ["share_metrics=off", "snd_buffer_bytes=4M", "snd_buffer_max_bytes=16M"]


# ---- rows -----------------------------------------------------------------------------------------

class Row:
    """One path and what runs over it."""

    def __init__(self, module, rtt_ms, loss, rate, seconds, together, shared=False):
        self.module, self.rtt_ms, self.loss, self.rate = module, rtt_ms, loss, rate
        self.seconds, self.together, self.shared = seconds, together, shared
        self.name = f"path-{module}-share-rtt{rtt_ms}" if shared else f"path-{module}-rtt{rtt_ms}-loss{loss:g}"
        # A bandwidth-delay product, and no less than 32 frames: shorter queues drop every burst.
        self.bdp = rate * rtt_ms / 8000
        self.queue = max(self.bdp, 32 * 1514)
        self.settle = seconds / 3 if shared else 0

    def goal(self):
        if self.module not in ("cubic", "newreno"):
            return None
        return SHARE_GOAL if self.shared else GOODPUT_GOAL

    def command(self, seed):
        mark = max(self.bdp / 6, 20 * 1514) if self.module == "dctcp" else 0   # RFC 8257 section 4.1: K > BDP / 7
        slack, late = self.rtt_ms * 10_000, max(LATE_LEAST_NS, self.rtt_ms * 100_000)
        return (f"path {self.rate:.0f} {self.queue:.0f} {self.rtt_ms * 500_000} {self.loss * 10_000:.0f} {mark:.0f} {int(self.shared)} {seed} "
                f"{slack} {late}")


# Round-trip time in ms: bits a second, then seconds and rounds beside each other by loss in percent. Long rounds where losses are rare or recovery slow;
# together no more than the machine carries while it does other things.
PATHS = {1: (50e6, {0: (4, 1), 0.1: (4, 1), 1: (4, 1)}),
         20: (25e6, {0: (10, 2), 0.1: (15, 3), 1: (15, 10)}),
         100: (10e6, {0: (20, 5), 0.1: (30, 10), 1: (40, 10)})}
SHARES = {1: (8, 1), 20: (20, 4), 100: (60, 10)}
MODULES = ["cubic", "newreno", "bbr", "dctcp"]


def all_rows():
    rows = []
    for module in MODULES:
        rows += [Row(module, rtt, loss, rate, *how) for rtt, (rate, losses) in PATHS.items() for loss, how in losses.items()]
        rows += [Row(module, rtt, 0, PATHS[rtt][0], *how, shared=True) for rtt, how in SHARES.items()]
    return rows


def chosen(names):
    """A name chooses by whole parts: rtt1 is not rtt100."""
    rows = [r for r in all_rows() if not names or any(f"-{n}-" in f"-{r.name}-" for n in names)]
    if not rows:
        raise Failed(f"no row {' '.join(names)}; there are: {' '.join(r.name for r in all_rows())}")
    return rows


# ---- who takes part -------------------------------------------------------------------------------

def scheduled(priority):
    """In front of a command: no other program's time slice is measured, where we may ask for that."""
    command = ["chrt", "--rr", str(priority)]
    allowed = subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
    return command if allowed else []


def on_path_cpu():
    """The emulator and ackd take turns on one processor: what the emulator's write wakes runs at once when it sleeps, as the kernel's TCP runs within
    the write. On another processor it would wait for whatever the kernel does there for other programs."""
    os.sched_setaffinity(0, {CPUS[-1]})


def on_other_cpu():
    os.sched_setaffinity(0, {CPUS[0]})


def settings(pid=None):
    enter = ["nsenter", f"--net=/proc/{pid}/ns/net"] if pid else []
    for name, value in SETTINGS.items():
        subprocess.run([*enter, "sh", "-c", f"echo '{value}' >/proc/sys/{name}"], capture_output=True, check=False)


class Process:
    """A program that says when it is ready."""

    def __init__(self, command, ready, **pipes):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **pipes)
        said = []
        for line in self.process.stdout:
            said.append(line)
            if ready in line:
                return
        raise Failed(f"{command[0]} did not start: {''.join(said).strip()}")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Emulator(Process):
    def __init__(self):
        super().__init__([os.path.join(PROGRAMS, "bench-path"), RECEIVER, TO_KERNEL, TO_ACKD], "ready", stdin=subprocess.PIPE,
                         preexec_fn=on_path_cpu)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise Failed("the emulator ended")
        return json.loads(answer)


class Linux:
    """A kernel that sends, in a namespace of its own behind one of the emulator's interfaces."""

    def __init__(self, place, link, address):
        self.place, self.link, self.server = place, link, None
        holder = place.keep(Process(["unshare", "--net", "sh", "-c", "echo ready; exec sleep infinity"], "ready"))
        self.pid = str(holder.process.pid)
        settings(self.pid)
        ip("link", "set", link, "netns", self.pid)
        ip("link", "set", link, "up", "txqueuelen", "16384", inside=self.pid)
        ip("address", "add", address + "/24", "dev", link, inside=self.pid)

    def use(self, module):
        if self.server:
            self.place.running.remove(self.server)
            self.server.stop()
        self.server = self.place.keep(Process(["nsenter", f"--net=/proc/{self.pid}/ns/net", *self.place.realtime,
                                               os.path.join(PROGRAMS, "bench-server"), LINUX_NAMES.get(module, module)], "ready"))

    def drops(self):
        return interface_drops(read(f"/proc/{self.pid}/net/dev"), self.link)


class Ackd:
    """Our daemon. Super-frames of its TAP are cut where the bridge gives them to an interface without offload, as the kernel's are."""

    def __init__(self, place, link, address):
        self.link, self.socket = link, os.path.join(place.folder, "ackd.sock")
        place.keep(Process([*place.realtime, os.path.join(BUILD, "daemon", "ackd"), "--link", "tap:" + OURS, "--address", address + "/24",
                            "--service", "chargen", "--socket", self.socket], "is ready", stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT,
                           preexec_fn=on_path_cpu))
        ip("link", "add", "bridge", "type", "bridge")
        for port in (OURS, link):
            ip("link", "set", port, "master", "bridge")
        for port in ("bridge", link):
            ip("link", "set", port, "up", "txqueuelen", "16384")

    def use(self, module):
        done = subprocess.run([os.path.join(BUILD, "client", "ackctl"), "--socket", self.socket, "set", f":{CHARGEN}", f"congestion={module}", *OPTIONS],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"ackctl set: {done.stderr.strip()}")

    def drops(self):
        table = read("/proc/net/dev")
        return interface_drops(table, self.link) + interface_drops(table, OURS)


class Place:
    """The emulator, the receiver, and who sends."""

    def __init__(self, folder, control):
        self.folder, self.control = folder, control
        self.running, self.senders = [], []
        self.realtime = scheduled(10)

    def start(self):
        ip("link", "set", "lo", "up")
        settings()
        self.emulator = self.keep(Emulator())
        ip("link", "set", RECEIVER, "up", "txqueuelen", "16384")
        for address in LANES:
            ip("address", "add", address + "/24", "dev", RECEIVER)
        self.senders = [Linux(self, TO_KERNEL, SENDERS["kernel"]), (Linux if self.control else Ackd)(self, TO_ACKD, SENDERS["ackd"])]

    def keep(self, process):
        self.running.append(process)
        return process

    def use(self, module):
        """Both senders use it from now on, or a sentence why not."""
        if LINUX_NAMES.get(module, module) not in read("/proc/sys/net/ipv4/tcp_available_congestion_control").split():
            return f"this kernel has no {module}"
        for sender in self.senders:
            sender.use(module)
        return None

    def drops(self):
        """Frames that a queue before or behind the path did not take."""
        return interface_drops(read("/proc/net/dev"), RECEIVER) + sum(sender.drops() for sender in self.senders)

    def client(self, row, sender, lane, seconds, settle):
        command = [*self.realtime, os.path.join(PROGRAMS, "bench-client"), "recv", SENDERS[sender], str(CHARGEN), "--seconds", str(seconds),
                   "--settle", str(settle), "--congestion", "reno", "--from", lane]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=on_other_cpu)

    def stop(self):
        for process in reversed(self.running):
            process.stop()


# ---- measuring ------------------------------------------------------------------------------------

def goodputs(clients):
    """Mbit/s by (round, sender), or a sentence."""
    got, why = {}, None
    for key, client in clients.items():
        out, err = client.communicate()
        said = json.loads(out) if client.returncode == 0 else {"unverified": err.strip() or f"the client ended with {client.returncode}"}
        why = why or said["unverified"]
        got[key] = 8e3 * said.get("bytes", 0) / said.get("ns", 1)
    return got, why


def drain(place, row):
    """Connections of the last batch end with resets: what is on the way arrives and is answered."""
    quiet = 0
    while quiet < 2:
        time.sleep(max(0.1, 2 * row.rtt_ms / 1000))
        quiet = quiet + 1 if place.emulator.ask("report")["in_flight"] == 0 else 0


def batch(place, row, rounds, seconds):
    """Some rounds beside each other: ({(round, sender): Mbit/s}, the emulator's report, None or why they are void)."""
    drops, clients = place.drops(), {}
    place.emulator.ask(row.command(seed=1 + rounds[0]))
    try:
        for lane, round_ in zip(LANES, rounds):
            for sender in sorted(SENDERS, reverse=round_ % 2 == 0):   # each is the first in half of the rounds
                clients[round_, sender] = place.client(row, sender, lane, seconds, row.settle * seconds / row.seconds)
        got, why = goodputs(clients)
    finally:
        for client in clients.values():
            client.kill()
    said = place.emulator.ask("report")
    drain(place, row)
    late = said["late"] / max(1, said["deliveries"])
    if late > LATE_SHARE:
        why = f"{100 * late:.0f} % of the deliveries late, the latest by {said['latest_ns'] / 1e6:.1f} ms"
    elif said["overflow"] or said["refused"] or place.drops() != drops:
        why = "frames dropped where no path drops them"
    return got, said, why


def run_row(place, row, options, progress):
    """({sender: Mbit/s or None by round}, notes)."""
    values, notes = {sender: [None] * options.rounds for sender in SENDERS}, []
    together = min(row.together, len(LANES))
    for first in range(0, options.rounds, together):
        rounds = range(first, min(first + together, options.rounds))
        progress.step(row, f"rounds {rounds[0] + 1} to {rounds[-1] + 1} of {options.rounds}")
        for _ in range(1 + REPEATS):
            got, _, why = batch(place, row, rounds, row.seconds * options.scale)
            if why is None or why == "":
                for (round_, sender), value in got.items():
                    values[sender][round_] = value
                break
            notes.append(f"{row.name}: rounds {rounds[0] + 1} to {rounds[-1] + 1} void: {why}")
    return values, notes


# ---- what is printed ------------------------------------------------------------------------------

def median(values):
    """None when fewer than half of the rounds count."""
    good = [v for v in values if v is not None]
    return statistics.median(good) if 2 * len(good) > len(values) else None


def summary(values):
    """(ackd, the kernel, ratio): medians."""
    ratios = [a / b if a is not None and b else None for a, b in zip(values["ackd"], values["kernel"])]
    return median(values["ackd"]), median(values["kernel"]), median(ratios)


def verdict(row, ratio):
    if ratio is None:
        return "VOID"
    if row.goal() is None:
        return ""
    return "ok" if row.goal()[0] <= ratio <= row.goal()[1] else "OUT"


def json_line(row, values):
    ours, theirs, ratio = summary(values)
    for subject, value, baseline, quotient in (("ackd", ours, "kernel", ratio), ("kernel", theirs, None, None)):
        yield {"metric": row.name, "subject": subject, "value": value, "unit": "Mbit/s", "baseline": baseline, "ratio": quotient, "rounds": values[subject]}


HEADS = ["row", "Mbit/s", "queue KB", "ackd", "Linux", "ratio", "of the rounds", "goal", ""]


def cells(row, values):
    ours, theirs, ratio = summary(values)
    ratios = [a / b for a, b in zip(values["ackd"], values["kernel"]) if a is not None and b]
    spread = f"{min(ratios):.2f}..{max(ratios):.2f}" if ratios else ""
    goal = f"{row.goal()[0]}..{row.goal()[1]}" if row.goal() else ""

    def number(v):
        return "void" if v is None else f"{v:.2f}"
    return [row.name.removeprefix("path-"), f"{row.rate / 1e6:.0f}", f"{row.queue / 1000:.0f}", number(ours), number(theirs), number(ratio), spread, goal,
            verdict(row, ratio)]


def print_table(lines):
    widths = [max(len(line[i]) for line in [HEADS, *lines]) for i in range(len(HEADS))]
    for line in [HEADS, *lines]:
        print("  ".join(f"{c:<{w}}" if i == 0 else f"{c:>{w}}" for i, (c, w) in enumerate(zip(line, widths))).rstrip())


# ---- the whole ------------------------------------------------------------------------------------

def bench(rows, options):
    lines, notes, good = [], [], True
    with tempfile.TemporaryDirectory(prefix="ackd-path-") as folder:
        place = Place(folder, options.control)
        progress = Progress(sum(-(-options.rounds // r.together) for r in rows))
        try:
            place.start()
            module = why = None
            for row in rows:
                if row.module != module:
                    module, why = row.module, place.use(row.module)
                    if why:
                        notes.append(f"SKIP path-{module}: {why}")
                if why:
                    continue
                values, said = run_row(place, row, options, progress)
                notes += said
                good = good and verdict(row, summary(values)[2]) not in ("OUT", "VOID")
                lines.append(cells(row, values))
                if options.json:
                    for line in json_line(row, values):
                        print(json.dumps(line), flush=True)
        finally:
            progress.end()
            place.stop()
    if not options.json and lines:
        print_table(lines)
    for note in notes:
        print(note, file=sys.stderr if options.json else sys.stdout)
    return 0 if good else 1


def duration(rows, rounds, scale):
    """Seconds, about."""
    return sum(-(-rounds // r.together) * (r.seconds * scale + 0.6 + r.rtt_ms / 200) for r in rows)


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bench path", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="rows by their parts; all without")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"interleaved rounds ({ROUNDS})")
    parser.add_argument("--scale", type=float, default=1, help="of the length of a round (1)")
    parser.add_argument("--quick", action="store_true", help="three rounds of half the length: a look, no verdict")
    parser.add_argument("--control", action="store_true", help="Linux in the place of ackd, too: what the bench itself makes of equals")
    parser.add_argument("--json", action="store_true", help="an object a line")
    parser.add_argument("--list", action="store_true", help="the rows")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.scale = 3, 0.5
    return options


def main():
    options = arguments()
    rows = chosen(options.names)
    if options.list:
        for row in rows:
            goal = f"goal {row.goal()[0]} to {row.goal()[1]}" if row.goal() else "no goal"
            print(f"{row.name:<28} {row.rate / 1e6:.0f} Mbit/s, queue {row.queue / 1000:.0f} KB, {row.seconds} s, {row.together} rounds at once; {goal}")
        return 0
    why = enter_namespace(__file__)
    if why:
        print(f"SKIP bench path: {why}")
        return 0
    print(f"{len(rows)} rows, about {duration(rows, options.rounds, options.scale) / 60:.0f} minutes", file=sys.stderr)
    return bench(rows, options)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except (Failed, OSError, subprocess.SubprocessError) as error:
        print(f"bench path: {error}", file=sys.stderr)
        sys.exit(1)
