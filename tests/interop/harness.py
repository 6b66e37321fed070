"""Runs cases in their order, each bounded in time, and prints a line for each."""
import os
import resource
import signal
import subprocess
import time
import traceback


class Skip(Exception):
    """The case cannot run here; the text says why."""


class Case:
    def __init__(self, name, seconds, function):
        self.name, self.seconds, self.function = name, seconds, function


def case(name, seconds=30):
    """Makes a function of no argument a case."""
    return lambda function: Case(name, seconds, function)


def check(condition, sentence):
    if not condition:
        raise AssertionError(sentence)


def equal(got, want, what):
    check(got == want, f"{what}: {got!r} instead of {want!r}")


def until(condition, seconds, sentence):
    """Asks again and again until the condition holds: its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        check(time.monotonic() < end, f"not within {seconds} s: {sentence}")
        time.sleep(0.01)


def names(cases, patterns):
    return [c.name for c in cases if not patterns or any(p in c.name for p in patterns)]


def alarm(_signal, _frame):
    raise TimeoutError("the case's time is over")


def run_case(c):
    signal.alarm(c.seconds)
    try:
        c.function()
        return f"ok interop {c.name}", True
    except Skip as why:
        return f"SKIP interop {c.name}: {why}", True
    except BaseException as error:  # whatever it was, the next case has its turn
        if isinstance(error, KeyboardInterrupt):
            raise
        signal.alarm(0)
        traceback.print_exc()
        return f"not ok interop {c.name}: {type(error).__name__}: {error}", False
    finally:
        signal.alarm(0)


def run(cases, patterns):
    # Line by line: the runner above us shows progress.
    import sys
    sys.stdout.reconfigure(line_buffering=True)
    sys.stderr = sys.stdout
    signal.signal(signal.SIGALRM, alarm)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    good = True
    chosen = set(names(cases, patterns))
    try:
        for c in cases:
            if c.name in chosen:
                began = time.monotonic()
                line, passed = run_case(c)
                print(line)
                print(f"  {time.monotonic() - began:.1f} s")
                good = good and passed
    finally:
        import daemon
        daemon.stop_all()
    return 0 if good else 1


def build(sanitized):
    """The build tree to take programs from."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if sanitized:
        return os.environ.get("ACKD_BUILD_ASAN", os.path.join(root, "build-asan"))
    return os.environ.get("ACKD_BUILD", os.path.join(root, "build"))
