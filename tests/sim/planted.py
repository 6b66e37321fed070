#!/usr/bin/env python3
"""Plants faults in a copy of the engine, one at a time, and expects the simulation to find each by the
invariant that is meant to: one that cannot fail proves nothing.

    tests/sim/planted.py [NAME…]     all of them take some minutes
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SEEDS = "1-400"

# name, file, what stands there, what is planted, what the simulation must say (a regular expression)
FAULTS = [
    ("window-edge", "daemon/tcp/receive_window.c", "offer >= owed + silly_step(c) ? offer : owed;", "offer;",
     "right edge of the window went back"),
    ("beyond-window", "daemon/tcp/ack.c", "bool newer = seq_lt(c->snd.wl2, s->h.ack) ||", "bool newer =",
     "beyond the window that was ever offered"),
    ("ack-back", "daemon/tcp/output.c", "h.ack = c->rcv.nxt;",
     "h.ack = c->rcv.quick ? c->rcv.nxt : seq_sub(c->rcv.nxt, c->rcv.last_len);", "acknowledgment went back"),
    ("cwnd-floor", "daemon/tcp/recovery/prr.c", "in_flight + n > mss ? in_flight + n : mss;", "in_flight + n;",
     "cwnd is a segment at least"),
    ("ssthresh-floor", "daemon/tcp/congestion/congestion.c", "c->flow->cc.ssthresh = c->flow->cc.ssthresh > 2 * mss ? c->flow->cc.ssthresh : 2 * mss;",
     "", "ssthresh is two segments"),
    ("scoreboard-sums", "daemon/tcp/rtxq.c", "q->lost += (flags & RTX_LOST) ? n : 0;",
     "q->lost += (flags & RTX_LOST && sign > 0) ? n : 0;", "retransmission queue adds up"),
    ("fin-state", "daemon/tcp/ack.c", "bool all = c->flags & C_FIN_SENT && seq_eq(c->snd.una, c->snd.nxt);",
     "bool all = c->flags & C_FIN_SENT;", "our FIN is acknowledged"),
    ("fin-octet", "daemon/tcp/ack.c", "seq_dist(ack, c->snd.una) - fin_acked;", "seq_dist(ack, c->snd.una);",
     "left the send buffer|died"),
    ("stall-override", "daemon/tcp/output.c", "p->limit == TCP_LIMIT_SILLY_WINDOW || p->limit == TCP_LIMIT_MORE_TO_COME;",
     "p->limit == TCP_LIMIT_MORE_TO_COME;", "timer or work pending"),
    ("stall-timer", "daemon/tcp/ack.c", "        rto_restart(c, now);\n    } else {", "        tcb_rtx_stop(c);\n    } else {",
     "timer runs while data are unacknowledged"),
    ("deadline", "daemon/tcp/tcb.c", "if (time_before(t, c->t.timer.deadline)) {",
     "if (time_is_never(c->t.timer.deadline)) {", "wheel knows the earliest deadline"),
    ("late-timer", "daemon/tcp/recovery/tlp.c", "f->t_loss = time_min(time_add(now, pto), c->act->t_rtx);",
     "f->t_loss = now;", "deadline is not later than now|purpose|never ends"),
    ("memory-bound", "daemon/tcp/autotune.c", "want = want > most ? most : want;\n    return want", "return 64 * want",
     "more than the options allow"),
    ("leak", "daemon/tcp/tcb.c", "    tuning_free(e, c);\n", "", "bytes in use at the end"),
    ("wrong-bytes", "daemon/tcp/connection.c", "    s->data_offset += data;\n", "", "wrong bytes"),
    ("needless", "daemon/tcp/rto.c", "rto = c->rtt.srtt_ns + (var > least ? var : least);", "rto = c->rtt.srtt_ns / 2;",
     "on a wire without faults"),
]


def find(build, source, fault):
    name, path, old, new, says = fault
    file = source / path
    text = file.read_text()
    if text.count(old) != 1:
        return f"not planted: {old!r} stands {text.count(old)} times in {path}"
    file.write_text(text.replace(old, new))
    try:
        made = subprocess.run(["ninja", "-C", build, "tests/sim/sim"], capture_output=True, text=True)
        if made.returncode:
            return "does not build: " + made.stdout[-600:]
        ran = subprocess.run([build / "tests/sim/sim", "--seeds", SEEDS, "--jobs", "2"], capture_output=True, text=True)
    finally:
        file.write_text(text)
    found = [line for line in ran.stdout.splitlines() if line.startswith("FAIL")]
    if not any(re.search(says, line) for line in found):
        return "not found; " + (found[0] if found else "no seed failed")
    return None


def main(names):
    missed = 0
    with tempfile.TemporaryDirectory() as scratch:
        source, build = pathlib.Path(scratch, "source"), pathlib.Path(scratch, "build")
        shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns("build*", ".git"), symlinks=True)
        subprocess.run(["meson", "setup", build, source], check=True, stdout=subprocess.DEVNULL)
        for fault in FAULTS:
            if names and fault[0] not in names:
                continue
            wrong = find(build, source, fault)
            missed += wrong is not None
            print(f"not ok planted {fault[0]}: {wrong}" if wrong else f"ok planted {fault[0]}", flush=True)
    return missed > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
