"""Scripts: what the peer sends and what the user calls, step by step, made from a seed or by name.

The peer's sequence numbers count from its ISN (0 is its SYN, 1 its first octet); what it acknowledges counts from what the stack has sent:
("nxt", n) is n beyond its SND.NXT, ("una", n) beyond what the peer acknowledged last. So one script means the same to both stacks."""
import random

import wire

TS_BASE = 100000
FAR = 0x10000000


class Seg:
    """A segment of the peer. `ts` is added to the running timestamp, None leaves the option out where it was negotiated."""

    def __init__(self, flags, seq=0, ack=("nxt", 0), length=0, window=0xffff, options=None, urgent=0, ts=0, bad_checksum=False):
        self.flags, self.seq, self.ack, self.length, self.window = flags, seq, ack, length, window
        self.options, self.urgent, self.ts, self.bad_checksum = options, urgent, ts, bad_checksum

    def __str__(self):
        more = "".join(f" {name}={value}" for name, value, usual in (("win", self.window, 0xffff), ("urg", self.urgent, 0), ("ts", self.ts, 0))
                       if value != usual)
        options = f" <{self.options.hex()}>" if self.options is not None else ""
        ack = f" ack {self.ack[0]}{self.ack[1]:+d}" if self.ack else ""
        return f"{self.flags or '-'} {self.seq}:{self.seq + self.length}({self.length}){ack}{more}{options}{' bad checksum' if self.bad_checksum else ''}"


class User:
    def __init__(self, verb, count=0):
        self.verb, self.count = verb, count

    def __str__(self):
        return f"{self.verb}({self.count or ''})"


class Script:
    """Steps, and where the connection then is if both do as the RFCs say: the state, the peer's next sequence number."""

    def __init__(self, name, ts=False, options=None):
        self.name, self.steps, self.state, self.seq, self.ts = name, [], "CLOSED", 0, ts
        self.options = options

    def syn_options(self):
        if self.options is not None:
            return self.options
        return wire.mss(1460) + (wire.SACK_OK + wire.timestamps(TS_BASE, 0) if self.ts else wire.NOP * 2 + wire.SACK_OK) + wire.NOP + wire.wscale(7)

    def user(self, verb, count=0):
        self.steps.append(User(verb, count))

    def seg(self, flags, **more):
        """A segment at the next sequence number, which it moves."""
        self.steps.append(Seg(flags, self.seq, **more))
        self.seq += more.get("length", 0) + ("S" in flags) + ("F" in flags)

    def raw(self, flags, offset=0, **more):
        """A segment beside the next sequence number, which stays."""
        self.steps.append(Seg(flags, self.seq + offset, **more))


# ---- to each state ------------------------------------------------------------------------------

def listen(s):
    s.user("listen")
    s.state = "LISTEN"


def syn_received(s):
    listen(s)
    s.seg("S", ack=None, options=s.syn_options())
    s.state = "SYN-RECEIVED"


def syn_sent(s):
    s.user("open")
    s.state = "SYN-SENT"


def established(s, active=False):
    if active:
        syn_sent(s)
        s.seg("SA", options=s.syn_options())
    else:
        syn_received(s)
        s.seg("A")
        s.user("accept")
    s.state = "ESTABLISHED"


def close_wait(s):
    established(s)
    s.seg("FA")
    s.state = "CLOSE-WAIT"


def last_ack(s):
    close_wait(s)
    s.user("close")
    s.state = "LAST-ACK"


def fin_wait_1(s):
    established(s)
    s.user("close")
    s.state = "FIN-WAIT-1"


def fin_wait_2(s):
    fin_wait_1(s)
    s.seg("A")
    s.state = "FIN-WAIT-2"


def closing(s):
    fin_wait_1(s)
    s.seg("FA", ack=("una", 0))
    s.state = "CLOSING"


def time_wait(s):
    fin_wait_2(s)
    s.seg("FA")
    s.state = "TIME-WAIT"


def closed(s):
    s.state = "CLOSED"


STATES = {"CLOSED": closed, "LISTEN": listen, "SYN-SENT": syn_sent, "SYN-RECEIVED": syn_received, "ESTABLISHED": established,
          "CLOSE-WAIT": close_wait, "LAST-ACK": last_ack, "FIN-WAIT-1": fin_wait_1, "FIN-WAIT-2": fin_wait_2, "CLOSING": closing,
          "TIME-WAIT": time_wait}

# ---- what then happens --------------------------------------------------------------------------

# name: what is done to a script
EVENTS = {
    "syn": lambda s: s.raw("S", -s.seq, ack=None, options=s.syn_options()),
    "syn-new": lambda s: s.raw("S", 5000, ack=None, options=s.syn_options()),
    "syn-ack": lambda s: s.raw("SA", -s.seq, options=s.syn_options()),
    "syn-fin": lambda s: s.raw("SF", 100, ack=None),
    "ack": lambda s: s.raw("A"),
    "ack-unsent": lambda s: s.raw("A", ack=("nxt", 1000)),
    "ack-old": lambda s: s.raw("A", ack=("nxt", -1)),
    "ack-ancient": lambda s: s.raw("A", ack=("nxt", -FAR)),
    "rst": lambda s: s.raw("R", ack=None),
    "rst-ack": lambda s: s.raw("RA"),
    "rst-in-window": lambda s: s.raw("R", 100, ack=None),
    "rst-before": lambda s: s.raw("R", -1, ack=None),
    "rst-far": lambda s: s.raw("R", FAR, ack=None),
    "data": lambda s: s.seg("PA", length=100),
    "data-before": lambda s: s.raw("A", -200, length=100),
    "data-far": lambda s: s.raw("A", FAR, length=100),
    "data-overlap": lambda s: s.raw("A", -50, length=100),
    "data-beyond": lambda s: s.raw("A", 1000, length=100),
    "data-no-ack": lambda s: s.raw("P", ack=None, length=10),
    "data-ack-unsent": lambda s: s.raw("A", length=10, ack=("nxt", 1000)),
    "keepalive": lambda s: s.raw("A", -1),
    "fin": lambda s: s.seg("FA"),
    "fin-data": lambda s: s.seg("FA", length=10),
    "fin-beyond": lambda s: s.raw("FA", 1000),
    "fin-no-ack": lambda s: s.raw("F", ack=None),
    "fin-again": lambda s: s.raw("FA", -1),
    "null": lambda s: s.raw("", ack=None),
    "christmas": lambda s: s.raw("FSRPAU", urgent=1, length=1),
    "bad-checksum": lambda s: s.raw("PA", length=10, bad_checksum=True),
    "urgent": lambda s: s.seg("UA", length=10, urgent=5),
    "window-zero": lambda s: s.raw("A", window=0),
    "no-timestamp": lambda s: s.raw("PA", length=10, ts=None),
    "old-timestamp": lambda s: s.raw("PA", length=10, ts=-5000),
    "old-timestamp-rst": lambda s: s.raw("R", ack=None, ts=-5000),
    "user-close": lambda s: s.user("close"),
    "user-release": lambda s: s.user("release"),
    "user-abort": lambda s: s.user("abort"),
    "user-send": lambda s: s.user("send", 100),
    "user-send-window": lambda s: s.user("send", 5000),
    "user-receive": lambda s: s.user("receive", 65536),
}


def probe(s):
    """What is left: is there a connection, and where does it stand?"""
    s.seg("PA", length=1)
    s.user("receive", 65536)
    s.raw("A")


def cell(state, event, ts=False):
    s = Script(f"{state} {event}{' ts' if ts else ''}", ts)
    STATES[state](s)
    EVENTS[event](s)
    probe(s)
    return s


ODD_OPTIONS = {
    "none": b"",
    "mss-0": wire.mss(0),
    "mss-1": wire.mss(1),
    "mss-65535": wire.mss(65535),
    "mss-twice": wire.mss(500) + wire.mss(1000),
    "wscale-255": wire.mss(1460) + wire.NOP + wire.wscale(255),
    "wscale-alone": wire.NOP + wire.wscale(3),
    "sack-alone": wire.SACK_OK,
    "timestamps-alone": wire.timestamps(TS_BASE, 0),
    "timestamps-echo": wire.mss(1460) + wire.timestamps(TS_BASE, 12345),
    "unknown": b"\xfe\x06abcd" + wire.mss(1460),
    "length-0": b"\xfe\x00" + wire.mss(1460),
    "length-beyond": wire.mss(1460) + b"\xfe\x28ab",
    "mss-length": b"\x02\x03\x05\x01" + wire.mss(1460),
    "end-first": b"\x00" + wire.mss(1460) + b"\0\0\0",
    "sack-blocks": wire.mss(1460) + b"\x05\x0a" + bytes(8),
    "full": wire.mss(1460) + wire.SACK_OK + wire.timestamps(TS_BASE, 0) + wire.NOP * 17 + wire.wscale(7) + wire.NOP * 4,
}


def handshake(name):
    s = Script(f"handshake {name}", options=ODD_OPTIONS[name])
    s.ts = 8 in wire.read_options(s.options)
    established(s)
    s.user("send", 3000)
    s.raw("A")
    probe(s)
    return s


def overlaps():
    """A hole filled in pieces, with what was there already again and again."""
    s = Script("overlap pieces")
    established(s)
    for offset, length in ((300, 100), (100, 100), (350, 100), (50, 400), (200, 300), (0, 60), (40, 100)):
        s.raw("A", offset, length=length)
    s.seq += 500
    s.user("receive", 65536)
    probe(s)
    return s


def fixed():
    """Every state with every event, the odd handshakes, and what takes more than one segment."""
    scripts = [cell(state, event) for state in STATES for event in EVENTS if "timestamp" not in event]
    scripts += [cell(state, event, True) for state in ("ESTABLISHED", "FIN-WAIT-2", "TIME-WAIT", "CLOSE-WAIT") for event in EVENTS if
                "timestamp" in event or event in ("data", "syn-new", "rst", "data-before", "syn")]
    scripts += [handshake(name) for name in ODD_OPTIONS]
    scripts.append(overlaps())
    return scripts


def few():
    """What ./dev test has time for: each event in one state, and every state."""
    events, states = list(EVENTS), list(STATES)
    chosen = [cell("ESTABLISHED", event, "timestamp" in event) for event in events]
    chosen += [cell(state, event) for state in states for event in ("syn", "rst", "ack", "data")]
    return chosen + [handshake(name) for name in ODD_OPTIONS] + [overlaps()]


# ---- by chance ----------------------------------------------------------------------------------

def anomaly(s, dice):
    """One segment with anything wrong, near the connection."""
    flags = dice.choice(["A"] * 8 + ["PA", "UA", "FA", "R", "RA", "S", "SA", "SF", "", "F", "P", "PAE", "AC", "FPAU", "RS"])
    offset = dice.choice([0] * 8 + [-1, -10, -100, 1, 10, 1000, 3000, FAR, -FAR])  # no window's edge: they differ in size
    length = dice.choice([0, 0, 0, 1, 10, 100, 1000, 1400])
    ack = dice.choice([("nxt", 0)] * 8 + [("nxt", 1), ("nxt", -1), ("nxt", 100000), ("una", 0), ("una", -1), ("nxt", -FAR)])
    if "A" not in flags:
        ack = None
    s.raw(flags, offset, ack=ack, length=length, window=dice.choice([65535, 65535, 65535, 100, 0]),
          urgent=dice.choice([1, 0, 50]) if "U" in flags else 0,
          ts=dice.choice([0, 0, 0, 0, -1, -5000, 5000, None]), bad_checksum=dice.random() < 0.02)
    if offset == 0 and flags in ("A", "PA", "FA") and ack in (("nxt", 0), ("una", 0)):
        s.seq += length + ("F" in flags)


def by_chance(seed):
    dice = random.Random(seed)
    s = Script(f"seed {seed}", ts=dice.random() < 0.4)
    if dice.random() < 0.15:
        s.options = dice.choice(list(ODD_OPTIONS.values()))
        s.ts = 8 in wire.read_options(s.options)
    state = dice.choice(list(STATES) + ["ESTABLISHED"] * 8)
    if state == "ESTABLISHED":
        established(s, active=dice.random() < 0.4)
    else:
        STATES[state](s)
    for _ in range(dice.randint(1, 5)):
        if dice.random() < 0.45:
            anomaly(s, dice)
        else:
            EVENTS[dice.choice(list(EVENTS))](s)
    probe(s)
    return s
