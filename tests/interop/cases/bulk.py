"""A gigabyte each way with digests compared: through echo, kernel to ackd and back; and from chargen, whose every byte is known."""
from daemon import Daemon
from harness import Case, check, equal
from streams import CHARGEN, ECHO, MB, PATTERN, Source, read_digest, send_in_thread

GB = 1024 * MB


def echoed(family, offload, total):
    def run():
        with Daemon(offload=offload, sanitized=False) as d, d.connect(ECHO, family, timeout=20) as s:
            source = Source(total, seed=family)
            join = send_in_thread(s, source)
            got = read_digest(s)
            join()
            equal(got, (total, source.digest.hexdigest()), "echoed")
    return run


def generated(family, offload, total):
    """Compares with a repeated pattern: as good as a digest, and faster."""
    repeated = PATTERN * (2 * MB // len(PATTERN) + 2)

    def run():
        with Daemon(offload=offload, sanitized=False) as d, d.connect(CHARGEN, family, timeout=20) as s:
            at = 0
            while at < total:
                got = s.recv(MB)
                check(got, f"the stream ended at byte {at}")
                start = at % len(PATTERN)
                check(repeated.startswith(got, start), f"wrong bytes behind {at}")
                at += len(got)
    return run


CASES = [Case(f"{total // MB} MB {what}, IPv{f}, offload {'on' if o else 'off'}", 180, make(f, o, total))
         for what, make in (("through echo", echoed), ("from chargen", generated))
         for f, o, total in ((4, True, GB), (6, True, GB), (4, False, GB // 4), (6, False, GB // 4))]
