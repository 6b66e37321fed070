"""The built-in services, by nc and by sockets, with and without offload."""
import subprocess

from daemon import Daemon
from harness import Case, equal
from streams import CHARGEN, DISCARD, ECHO, MB, Source, pattern, read_digest, read_exactly, send_in_thread


def nc(address, port, data):
    done = subprocess.run(["nc", "-N", "-w", "10", address, str(port)], input=data, capture_output=True, check=False)
    equal(done.returncode, 0, f"nc's exit status ({done.stderr!r})")
    return done.stdout


def by_nc(family):
    def run():
        with Daemon() as d:
            equal(nc(d.address(family), ECHO, b"hello, echo\n"), b"hello, echo\n", "echoed to nc")
            equal(nc(d.address(family), DISCARD, b"nobody reads this\n"), b"", "answered by discard")
    return run


def by_sockets(family, offload):
    def run():
        with Daemon(offload=offload) as d:
            with d.connect(ECHO, family) as s:
                source = Source(8 * MB)
                join = send_in_thread(s, source)
                equal(read_digest(s), (8 * MB, source.digest.hexdigest()), "echoed")
                join()
            with d.connect(DISCARD, family) as s:
                send_in_thread(s, Source(8 * MB))()
                equal(s.recv(1), b"", "from discard, after our end of stream")
            with d.connect(CHARGEN, family) as s:
                equal(read_exactly(s, 2 * MB) == pattern(0, 2 * MB), True, "chargen's pattern")
    return run


CASES = [Case(f"echo and discard by nc, IPv{f}", 30, by_nc(f)) for f in (4, 6)]
CASES += [Case(f"echo, discard and chargen by sockets, IPv{f}, offload {'on' if o else 'off'}", 60, by_sockets(f, o))
          for f in (4, 6) for o in (True, False)]
