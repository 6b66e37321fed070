"""The differences that are known, each with its reason in docs/differential.md under a heading of the same name.

A rule says whether it explains what the two stacks did in one step. After it the comparison of that script ends, unless nothing follows from
the difference: then the rule goes on. The first that explains a case is its reason, so the narrow ones come first."""
from script import FAR, Seg, User
import wire

ANSWER = {"ack", "window", "echo", "sack"}


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


# ---- what has happened before -------------------------------------------------------------------


def before(case):
    return case.script.steps[:case.number + 1]


def segments(case):
    return [step for step in before(case) if isinstance(step, Seg)]


def is_segment(case, letters=""):
    return isinstance(case.step, Seg) and all(letter in case.step.flags for letter in letters)


def peer_fin(case):
    return any("F" in s.flags for s in segments(case))


def user_fin(case):
    return any(isinstance(step, User) and step.verb in ("close", "release", "abort") for step in before(case))


def user_gone(case):
    return any(isinstance(step, User) and step.verb in ("release", "abort") for step in before(case))


def near(case):
    """The peer's segments in order, as they may have been taken."""
    return [s for s in segments(case) if abs(s.seq) < FAR]


def end_of(segment):
    return segment.seq + segment.length + ("S" in segment.flags) + ("F" in segment.flags)


def reached(taken):
    """RCV.NXT after these segments, in whatever order they came."""
    nxt = 0
    for s in sorted(taken, key=lambda s: s.seq):
        if s.seq <= nxt and "R" not in s.flags and not ("S" in s.flags and nxt) and not s.bad_checksum:
            nxt = max(nxt, end_of(s))
    return nxt


def touched(case):
    """Did a segment end right at RCV.NXT? Those with an ACK of what was not sent may have been taken, or not."""
    all_near = near(case)
    for i, s in enumerate(all_near):
        good = [b for b in all_near[:i] if not b.ack or b.ack[1] <= 0]
        if s.length + ("F" in s.flags) and end_of(s) in (reached(all_near[:i]), reached(good)):
            return True
    return False


def contradicted_fin(case):
    """Text beyond a FIN, or a FIN in front of text."""
    return any("F" in f.flags and any(end_of(f) - 1 < s.seq + s.length for s in near(case) if s.length > 0 and s is not f) for f in near(case))


def old_ack(case):
    return any("A" in s.flags and s.ack and s.ack[1] < 0 for s in segments(case))


def old_text(case):
    """A segment with an ACK that lies before the next octet."""
    nxt = 0
    for s in near(case):
        if s.seq < nxt and end_of(s) <= nxt and "A" in s.flags:
            return True
        nxt = max(nxt, end_of(s)) if s.seq <= nxt else nxt
    return False


def only_kernel(case, key):
    return case.kernel[key] is not None and case.ackd[key] is None


def only_ackd(case, key):
    return case.ackd[key] is not None and case.kernel[key] is None


def within(case, *keys):
    return case.different <= set(keys)


# ---- handshake ----------------------------------------------------------------------------------


@rule()
def mss_of_zero(case):
    return case.script.options is not None and wire.read_options(case.script.options).get(2) == b"\0\0" and "data" in case.different


@rule()
def syn_with_fin(case):
    return any("S" in s.flags and "F" in s.flags for s in segments(case)) and not within(case, "user")


@rule()
def simultaneous_open_options(case):
    return is_segment(case, "S") and case.kernel["syn"] and case.ackd["syn"] and case.opened


@rule(goes_on=True)
def syn_again_after_a_reset(case):
    syn = case.kernel["syn"] or case.ackd["syn"]
    return case.opened and syn is not None and syn[0] == "S" and "syn" in case.different and within(case, "syn")


@rule()
def syn_in_syn_received(case):
    return is_segment(case, "S") and "rst" in case.different and only_kernel(case, "rst")


@rule()
def text_in_the_syn_ack(case):
    return is_segment(case, "SA") and case.opened and case.step.length > 0 and "ack" in case.different


@rule()
def ack_of_the_syn(case):
    return case.opened and is_segment(case, "A") and case.step.ack[1] == -1 and within(case, *ANSWER)


@rule()
def half_open(case):
    if case.opened and only_kernel(case, "syn") and case.kernel["syn"][0] == "SA":
        return True
    if only_ackd(case, "syn") and case.ackd["syn"][0] == "SA":
        return True
    return case.state == "SYN-RECEIVED" and is_segment(case, "SA") and only_kernel(case, "ack")


# ---- established --------------------------------------------------------------------------------


@rule()
def no_timestamp(case):
    return case.script.ts and any(s.ts is None for s in segments(case)) and is_segment(case)


@rule(goes_on=True)
def paws(case):
    stamps = [s.ts for s in segments(case) if s.ts is not None]
    older = is_segment(case) and case.script.ts and stamps and case.step.ts is not None and case.step.ts < max(stamps + [0])
    return older and within(case, *ANSWER) and (case.different == {"sack"} or only_ackd(case, "ack"))


@rule()
def reset_with_an_old_timestamp(case):
    return case.script.ts and any("R" in s.flags and s.ts and s.ts < 0 for s in segments(case)) and only_ackd(case, "rst")


@rule(goes_on=True)
def timestamp_of_an_old_ack(case):
    return case.different == {"echo"} and old_ack(case)


@rule()
def timestamp_of_an_old_ack_refuses(case):
    return case.script.ts and "echo" in case.different and old_ack(case) and any(s.ts and s.ts > 0 for s in segments(case))


@rule(goes_on=True)
def no_ack_bit(case):
    return is_segment(case) and not set("ARS") & set(case.step.flags) and only_ackd(case, "ack") and within(case, *ANSWER)


@rule(goes_on=True)
def dsack_of_a_refused_segment(case):
    kernel, ackd = case.kernel["sack"] or (), case.ackd["sack"] or ()
    return any(s.length > 0 for s in segments(case)) and case.different == {"sack"} and ackd[2:] == kernel


@rule(goes_on=True)
def dsack_of_two_parts(case):
    return is_segment(case) and case.step.length > 0 and case.different == {"sack"} and case.kernel["sack"] and case.ackd["sack"] and not peer_fin(case)


@rule(goes_on=True)
def old_segment_that_touches(case):
    return (touched(case) or (is_segment(case, "R") and case.step.length > 0)) and (
        within(case, "echo", "sack") or (is_segment(case, "R") and only_kernel(case, "ack")))


@rule(goes_on=True)
def fin_is_not_sacked(case):
    return case.different == {"sack"} and peer_fin(case)


@rule()
def text_after_release(case):
    return user_gone(case) and is_segment(case) and case.step.length > 0 and case.step.ack != ("nxt", 0) and only_kernel(case, "rst")


@rule()
def form_of_the_reset(case):
    return case.different == {"rst"} and case.kernel["rst"] and case.ackd["rst"]


@rule()
def window_of_an_old_segment(case):
    return old_text(case) and any(s.window == 0 for s in segments(case)) and case.ackd["data"] > case.kernel["data"]


@rule()
def send_before_established(case):
    sends = [i for i, step in enumerate(before(case)) if isinstance(step, User) and step.verb == "send"]
    syns = [i for i, step in enumerate(before(case)) if isinstance(step, Seg) and "S" in step.flags]
    return case.opened and sends and syns and sends[0] < syns[-1] and case.ackd["data"] > case.kernel["data"]


@rule()
def fin_into_a_closed_window(case):
    return case.ackd["fin"] and not case.kernel["fin"] and user_fin(case) and any(s.window == 0 for s in segments(case))


# ---- closing ------------------------------------------------------------------------------------


@rule()
def contradicting_fin(case):
    return contradicted_fin(case) and is_segment(case) and case.kernel["ack"] is not None and case.kernel["ack"] != case.ackd["ack"]


@rule()
def reset_at_the_fin(case):
    fins = [s.seq + s.length for s in segments(case) if "F" in s.flags]
    return any("R" in s.flags and s.seq in fins for s in segments(case)) and (case.kernel["rst"] or case.ackd["ack"] is not None)


@rule()
def text_after_the_fin_resets(case):
    return peer_fin(case) and is_segment(case) and case.step.length > 0 and only_kernel(case, "rst")


@rule()
def abort_in_time_wait(case):
    return user_gone(case) and peer_fin(case) and only_ackd(case, "rst")


@rule()
def ack_of_an_old_segment(case):
    return peer_fin(case) and user_fin(case) and is_segment(case, "A") and (only_ackd(case, "rst") or (old_text(case) and only_kernel(case, "rst")))


@rule(goes_on=True)
def time_wait_echo_and_sack(case):
    return peer_fin(case) and user_fin(case) and within(case, "echo", "sack")


@rule(goes_on=True)
def text_after_the_fin(case):
    return peer_fin(case) and is_segment(case) and only_ackd(case, "ack") and within(case, *ANSWER)


@rule(goes_on=True)
def time_wait_answers(case):
    return peer_fin(case) and user_fin(case) and is_segment(case) and only_kernel(case, "ack") and within(case, *ANSWER)
