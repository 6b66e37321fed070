"""The differences that are known, each with its reason in docs/differential.md under a heading of the same name.

A rule says whether it explains what the two stacks did in one step: it names the state that ackd was in, the segment or call, and in which of
the answers they may differ. After it the comparison of that script ends, unless nothing follows from the difference: then the rule goes on. A
rule whose difference shows only later looks for its segment in the steps before. The first that explains a case is its reason."""
from script import FAR, Seg, User
import wire

ANSWER = {"ack", "window", "echo", "sack"}
SYNCHRONIZED = {"SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT"}
OPEN = {"ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2"}  # the peer may still send text
PEER_DONE = {"CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT"}


class Moment:
    """A step, and where ackd's connection stood before it. Sequence numbers count from the ISNs; `ack` is None without one."""

    def __init__(self, step, clock, state, numbers):
        self.step, self.state, self.ack = step, state, None
        self.rcv, self.edge, self.una, self.nxt, self.ts_recent = (numbers.get(k, 0) for k in ("rcv", "edge", "una", "nxt", "ts"))
        if state in ("SYN-RECEIVED", "TIME-WAIT") and self.edge == self.rcv:  # records that know of no window
            self.edge += 0xffff
        self.ts = clock + step.ts if isinstance(step, Seg) and step.ts is not None else None
        self.seq = step.seq if isinstance(step, Seg) else None
        self.text_end = self.seq + step.length if isinstance(step, Seg) else None
        self.end = self.text_end + ("S" in step.flags) + ("F" in step.flags) if isinstance(step, Seg) else None

    def __str__(self):
        return f"[{self.state} rcv {self.rcv} una {self.una} nxt {self.nxt}]"

    def is_segment(self, letters="", without="", states=SYNCHRONIZED):
        """A segment with a good checksum, all of these flags and none of those, in one of the states."""
        return (isinstance(self.step, Seg) and self.state in states and not self.step.bad_checksum and
                all(letter in self.step.flags for letter in letters) and not set(without) & set(self.step.flags))

    def is_call(self, verb):
        return isinstance(self.step, User) and self.step.verb == verb

    # RFC 9293 section 3.10.7.4, first: table 6.
    def acceptable(self):
        length, window = self.end - self.seq, self.edge - self.rcv
        if length == 0:
            return self.seq == self.rcv if window == 0 else self.rcv <= self.seq < self.edge
        return window > 0 and (self.rcv <= self.seq < self.edge or self.rcv < self.end <= self.edge or self.seq < self.rcv <= self.end - 1)

    def all_old(self):
        """Everything in it lies before RCV.NXT."""
        return self.seq < self.rcv and self.end <= self.rcv

    def begins_old(self):
        return self.seq < self.rcv < self.end

    # RFC 9293 section 3.10.7.4, fifth; RFC 5961 section 5.
    def acks_unsent(self):
        return self.ack is not None and "A" in self.step.flags and self.ack > self.nxt

    def acks_old(self):
        return self.ack is not None and "A" in self.step.flags and self.ack < self.una

    def acks_nothing_ours(self):
        """Neither sent nor lately acknowledged: it is refused."""
        return self.acks_unsent() or (self.acks_old() and self.ack < 0) or (self.acks_old() and self.una - self.ack > 0xffff)

    def text(self):
        return self.step.length if isinstance(self.step, Seg) else 0


class Rule:
    def __init__(self, name, explains, goes_on):
        self.name, self.explains, self.goes_on = name, explains, goes_on


RULES = []


def rule(goes_on=False):
    """A function of a case: its name is the rule's, with dashes."""
    def make(function):
        RULES.append(Rule(function.__name__.replace("_", "-"), function, goes_on))
        return function
    return make


def find(case):
    return next((r for r in RULES if r.explains(case)), None)


def only_kernel(case, key):
    return case.kernel[key] is not None and case.ackd[key] is None


def only_ackd(case, key):
    return case.ackd[key] is not None and case.kernel[key] is None


def within(case, *keys):
    return case.different <= set(keys)


def earlier(case, condition):
    """This moment or one before it."""
    return any(condition(m) for m in case.history)


def user_gone(case):
    return earlier(case, lambda m: m.is_call("release") or m.is_call("abort"))


# ---- handshake ----------------------------------------------------------------------------------


@rule()
def mss_of_zero(case):
    zero = case.script.options is not None and wire.read_options(case.script.options).get(2) == b"\0\0"
    return zero and within(case, "data", "fin") and case.kernel["data"] != case.ackd["data"]


@rule()
def syn_with_fin(case):
    return earlier(case, lambda m: m.is_segment("SF", "RA", {"LISTEN", "TIME-WAIT"}))


@rule()
def syn_at_the_end_of_time_wait(case):
    return case.now.is_segment("S", "RA", {"TIME-WAIT"}) and case.now.seq == case.now.rcv and only_ackd(case, "syn")


@rule()
def syn_ack_with_a_false_echo(case):
    echo = wire.read_options(case.now.step.options or b"").get(8) if case.now.is_segment("SA", "R", {"SYN-SENT"}) else None
    return echo is not None and echo[4:] != b"\0\0\0\0" and only_kernel(case, "rst")


@rule()
def simultaneous_open_options(case):
    kernel, ackd = case.kernel["syn"], case.ackd["syn"]
    return (case.now.is_segment("S", "RA", {"SYN-SENT"}) and within(case, "syn", "echo") and kernel and ackd and kernel[0] == ackd[0] == "SA" and
            set(ackd[1]) < set(kernel[1]))


@rule(goes_on=True)
def syn_again_after_a_reset(case):
    syn = case.kernel["syn"] or case.ackd["syn"]
    reset = earlier(case, lambda m: m.is_segment("A", "", {"SYN-SENT"}) and m.ack is not None and not 0 < m.ack <= m.nxt)
    return case.now.state == "SYN-SENT" and reset and syn is not None and syn[0] == "S" and within(case, "syn")


@rule()
def syn_in_syn_received(case):
    return case.now.is_segment("S", "R", {"SYN-RECEIVED"}) and case.now.acceptable() and only_kernel(case, "rst")


@rule()
def text_in_the_syn_ack(case):
    return case.now.is_segment("SA", "R", {"SYN-SENT"}) and case.now.text() > 0 and "ack" in case.different


@rule()
def ack_of_the_syn(case):
    return case.opened and case.now.is_segment("A", "R", OPEN) and case.now.ack == 0 and within(case, "user", *ANSWER) and case.ackd["ack"] is not None


@rule()
def half_open_is_answered_by_the_syn_ack(case):
    m = case.now
    old = m.is_segment() and case.script.ts and m.ts is not None and m.ts < m.ts_recent  # PAWS
    return (m.is_segment("", "R", {"SYN-RECEIVED"}) and only_ackd(case, "syn") and case.ackd["syn"][0] == "SA" and
            (not m.acceptable() or "S" in m.step.flags or old))


@rule()
def reset_in_syn_received(case):
    return (case.now.is_segment("R", "", {"SYN-RECEIVED"}) and case.now.acceptable() and case.now.seq != case.now.rcv and
            (only_ackd(case, "syn") or only_kernel(case, "ack")))


@rule()
def syn_ack_in_syn_received(case):
    return case.now.is_segment("SA", "R", {"SYN-RECEIVED"}) and (only_kernel(case, "ack") or only_kernel(case, "syn"))


# ---- established --------------------------------------------------------------------------------


@rule()
def no_timestamp(case):
    return case.script.ts and earlier(case, lambda m: m.is_segment("", "RS") and m.ts is None)


@rule(goes_on=True)
def paws(case):
    m = case.now
    old = m.is_segment("", "R") and case.script.ts and m.ts is not None and m.ts < m.ts_recent
    return old and within(case, *ANSWER) and (case.different == {"sack"} or only_ackd(case, "ack"))


@rule()
def reset_with_an_old_timestamp(case):
    return case.script.ts and earlier(case, lambda m: m.is_segment("R", "", {"SYN-RECEIVED"}) and m.ts is not None and m.ts < m.ts_recent)


@rule(goes_on=True)
def timestamp_of_an_old_ack(case):
    return case.different == {"echo"} and earlier(case, lambda m: m.is_segment("A", "R") and m.acks_old())


@rule()
def timestamp_of_an_old_ack_refuses(case):
    return case.script.ts and "echo" in case.different and earlier(
        case, lambda m: m.is_segment("A", "R") and m.acks_old() and m.ts is not None and m.ts > m.ts_recent)


@rule(goes_on=True)
def no_ack_bit(case):
    return (case.now.is_segment("", "ARS") and not case.now.acceptable() and only_ackd(case, "ack") and within(case, *ANSWER))


@rule(goes_on=True)
def no_ack_bit_in_time_wait(case):
    return case.now.is_segment("", "ARS", {"TIME-WAIT"}) and case.now.acceptable() and only_kernel(case, "ack") and within(case, *ANSWER)


@rule(goes_on=True)
def dsack_of_a_refused_segment(case):
    kernel, ackd = case.kernel["sack"] or (), case.ackd["sack"] or ()
    return case.different == {"sack"} and ackd[2:] == kernel and earlier(
        case, lambda m: m.is_segment("", "R") and m.text() > 0 and m.seq < m.rcv)


@rule(goes_on=True)
def dsack_of_two_parts(case):
    return (case.now.is_segment("A", "R", OPEN) and case.now.begins_old() and case.different == {"sack"} and
            case.kernel["sack"] and case.ackd["sack"])


@rule(goes_on=True)
def old_segment_that_touches(case):
    return earlier(case, lambda m: m.is_segment() and m.end == m.rcv and m.end > m.seq) and (
        within(case, "echo", "sack") or (case.now.is_segment("R") and only_kernel(case, "ack")))


@rule(goes_on=True)
def fin_is_not_sacked(case):
    return case.different == {"sack"} and earlier(case, lambda m: m.is_segment("F", "R") and (m.end <= m.rcv or m.text_end > m.rcv))


@rule()
def text_after_release(case):
    m = case.now
    return user_gone(case) and m.is_segment("", "R") and m.text() > 0 and (m.acks_unsent() or m.acks_old()) and only_kernel(case, "rst")


@rule()
def fin_beyond_a_hole_after_release(case):
    m = case.now
    return user_gone(case) and m.is_segment("F", "RS", {"FIN-WAIT-1", "FIN-WAIT-2"}) and m.seq > m.rcv and m.acceptable() and only_kernel(case, "rst")


@rule(goes_on=True)
def sack_after_release(case):
    return user_gone(case) and case.different == {"sack"} and only_kernel(case, "sack")


@rule()
def form_of_the_reset(case):
    return user_gone(case) and case.different == {"rst"} and case.kernel["rst"] and case.ackd["rst"]


@rule()
def window_of_an_old_segment(case):
    closed = earlier(case, lambda m: m.is_segment("A") and m.step.window == 0)
    return closed and earlier(case, lambda m: m.is_segment("A", "R") and m.all_old()) and case.ackd["data"] > case.kernel["data"]


@rule()
def send_before_established(case):
    return earlier(case, lambda m: m.is_call("send") and m.state in ("SYN-SENT", "SYN-RECEIVED")) and case.ackd["data"] > case.kernel["data"]


@rule()
def fin_into_a_closed_window(case):
    return case.ackd["fin"] and not case.kernel["fin"] and case.now.state in ("ESTABLISHED", "CLOSE-WAIT", "FIN-WAIT-1", "LAST-ACK") and earlier(
        case, lambda m: m.is_segment("A") and m.step.window == 0)


# ---- closing ------------------------------------------------------------------------------------


@rule()
def contradicting_fin(case):
    near = [m for m in case.history if m.is_segment("", "RS") and abs(m.seq) < FAR]
    fins = [m for m in near if "F" in m.step.flags]
    contradicted = any(f.text_end < m.text_end for f in fins for m in near if m.text() > 0 or m in fins)
    return contradicted and case.now.is_segment("", "R", OPEN) and case.kernel["ack"] is not None and case.kernel["ack"] != case.ackd["ack"]


@rule()
def reset_at_the_fin(case):
    return earlier(case, lambda m: m.is_segment("R", "", PEER_DONE) and m.seq == m.rcv - 1) and (
        case.kernel["rst"] or case.ackd["ack"] is not None)


@rule()
def text_after_the_fin_resets(case):
    m = case.now
    return m.is_segment("", "RS", PEER_DONE) and m.text() > 0 and m.seq < m.rcv < m.end and only_kernel(case, "rst")


@rule()
def abort_in_time_wait(case):
    return earlier(case, lambda m: m.is_call("abort") and m.state == "TIME-WAIT") and only_ackd(case, "rst")


@rule()
def ack_of_an_old_segment(case):
    return earlier(case, lambda m: m.is_segment("A", "RS", {"LAST-ACK", "CLOSING"}) and m.all_old() and m.ack == m.nxt)


@rule(goes_on=True)
def time_wait_echo_and_sack(case):
    return case.now.is_segment("", "RS", {"TIME-WAIT"}) and within(case, "echo", "sack")


@rule(goes_on=True)
def text_after_the_fin(case):
    m = case.now
    return m.is_segment("", "RS", PEER_DONE) and m.end > m.seq and m.acceptable() and only_ackd(case, "ack") and within(case, *ANSWER)


@rule(goes_on=True)
def time_wait_answers(case):
    m = case.now
    return m.is_segment("", "RF", {"TIME-WAIT"}) and m.acceptable() and only_kernel(case, "ack") and within(case, *ANSWER)


@rule(goes_on=True)
def time_wait_challenges(case):
    m = case.now
    refused = m.is_segment("A", "RSF", {"TIME-WAIT"}) and m.text() == 0 and m.seq == m.rcv and (m.acks_unsent() or m.acks_old())
    reset = m.is_segment("R", "", {"TIME-WAIT"}) and m.acceptable() and m.seq != m.rcv
    return (refused or reset) and only_ackd(case, "ack") and within(case, *ANSWER)
