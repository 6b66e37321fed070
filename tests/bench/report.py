"""What ./dev bench prints: figures over rounds, their ratios, and whether they reach the goals of "At the speed of the TAP"."""
import json
import statistics

# Figure -> (held against, how, how much); against None is the figure itself, in its unit.
GOALS = {
    "send": [("floor", ">=", 0.95), ("kernel", ">=", 1.2)],
    "send.cpu": [("floor", "<=", 1.15)],
    "recv": [("floor-copy", ">=", 0.90), ("kernel", ">=", 1.15)],
    "recv.cpu": [("floor-copy", "<=", 1.2)],
    "send-16": [("one", ">=", 0.9)],
    "recv-16": [("one", ">=", 0.9)],
    "send-ipv6": [("ipv4", ">=", 0.9)],
    "recv-ipv6": [("ipv4", ">=", 0.9)],
    "send-small": [("floor-small", ">=", 0.8)],
    "recv-small": [("floor-small", ">=", 0.8)],
    "connect": [("floor", ">=", 0.85), ("kernel", ">=", 1.8), ("lwip", ">=", 1.0)],
    "ping": [("kernel", "<=", 0.9)],
    "ping-core": [("kernel", "<=", 0.8)],
    "ping-busy": [("kernel", "<=", 0.35)],
    "memory.handshake": [(None, "<=", 400)],
    "memory.data": [(None, "<=", 640)],
    "memory.syn-received": [(None, "<=", 128)],
    "memory.time-wait": [(None, "<=", 128)],
    "open-100k": [("connect", ">=", 0.7)],
    "million": [("connect", ">=", 0.7)],
    "million.active-10": [("alone", ">=", 0.87)],
    "million.uniform-100k": [("alone", ">=", 0.75)],
    "million.uniform": [("alone", ">=", 0.6)],
    "incast": [("kernel", ">=", 0.8)],
    "ls": [(None, "<", 2)],
    "ls.callback": [(None, "<=", 500)],
    "stream-send": [("unix", ">=", 0.3)],
    "stream-recv": [("unix", ">=", 0.3)],
    "start": [(None, "<", 50)],
    "idle": [(None, "<=", 0)],
}


class Row:
    """One figure of one subject over the rounds; None where a round was void."""

    def __init__(self, unit, values=()):
        self.unit, self.values = unit, list(values)

    def value(self):
        """The median, or None when fewer than half of the rounds count."""
        good = [v for v in self.values if v is not None]
        return statistics.median(good) if good and 2 * len(good) > len(self.values) else None


def ratio(ours, theirs):
    """Of rows: the median of the rounds' ratios, for what disturbs the machine disturbs both of a round. One value holds for all rounds."""
    if ours is None or theirs is None or ours.value() is None or theirs.value() is None:
        return None
    others = theirs.values * len(ours.values) if len(theirs.values) == 1 else theirs.values
    pairs = [a / b for a, b in zip(ours.values, others) if a is not None and b]
    return statistics.median(pairs) if pairs else None


class Report:
    """Collects figures metric by metric, prints them, and counts the goals."""

    def __init__(self, as_json):
        self.json, self.lines, self.met, self.missed, self.unknown = as_json, [], [], [], []

    def judge(self, figure, against, value):
        """"met" or "MISSED" with the goal, "" where there is none. Remembers it."""
        for baseline, how, much in GOALS.get(figure, []):
            if baseline != against:
                continue
            name = f"{figure} {how} {much:g}" + (f" of {baseline}" if baseline else "")
            if value is None:
                self.unknown.append(name)
                return f"goal {how} {much:g}: unknown"
            good = {">=": value >= much, "<=": value <= much, "<": value < much}[how]
            (self.met if good else self.missed).append(name)
            return f"goal {how} {much:g}: {'met' if good else 'MISSED'}"
        return ""

    def add(self, metric, rows):
        for figure in dict.fromkeys(f for f, _ in rows):
            ours = rows.get((figure, metric.ours))
            if self.json:
                self.print_json(figure, metric, rows)
                continue
            unit = next(row.unit for (f, _), row in rows.items() if f == figure)
            verdict = self.judge(figure, None, ours.value() if ours else None)
            beside = [verdict] if verdict else []
            for baseline in metric.baselines:
                theirs = rows.get((figure, baseline))
                if theirs is None and (figure, baseline) not in [(f, g[0]) for f, goals in GOALS.items() for g in goals]:
                    continue
                quotient = ratio(ours, theirs)
                verdict = self.judge(figure, baseline, quotient)
                times = "void" if quotient is None else f"{quotient:.2f}"
                beside.append(f"{baseline} {number(theirs.value() if theirs else None)} (x {times}{', ' + verdict if verdict else ''})")
            self.lines.append([figure, unit, number(ours.value() if ours else None), ", ".join(beside)])

    def print_json(self, figure, metric, rows):
        for (f, name), row in rows.items():
            if f != figure:
                continue
            baselines = [b for b in metric.baselines if (figure, b) in rows] if name == metric.ours else []
            for baseline in baselines or [None]:
                quotient = ratio(row, rows[(figure, baseline)]) if baseline else None
                goals = [g for g in GOALS.get(figure, []) if name == metric.ours and g[0] in (baseline, None)]
                goal = f"{goals[0][1]} {goals[0][2]:g}" if goals else None
                verdict = self.judge(figure, goals[0][0], quotient if goals[0][0] else row.value()) if goals else ""
                print(json.dumps({"metric": figure, "subject": name, "value": row.value(), "unit": row.unit, "baseline": baseline, "ratio": quotient,
                                  "goal": goal, "met": verdict.endswith(": met") if verdict and "unknown" not in verdict else None,
                                  "rounds": row.values}), flush=True)

    def print_table(self):
        heads = ["metric", "unit", "ackd", "beside (ackd / it)"]
        widths = [max(len(cells[i]) for cells in [heads, *self.lines]) for i in range(3)]
        for cells in [heads, *self.lines]:
            print(f"{cells[0]:<{widths[0]}}  {cells[1]:<{widths[1]}}  {cells[2]:>{widths[2]}}  {cells[3]}")

    def summary(self):
        """A sentence about the goals."""
        parts = [f"{len(self.met)} goals met"]
        if self.missed:
            parts.append(f"{len(self.missed)} missed: {', '.join(self.missed)}")
        if self.unknown:
            parts.append(f"{len(self.unknown)} unknown, for a row is void or a peer is not there: {', '.join(self.unknown)}")
        return "; ".join(parts)


def number(value):
    if value is None:
        return "void"
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"
