"""What ackd refuses at its start, and what it takes over."""
import socket
import subprocess

from daemon import Daemon
from harness import case, check, equal
from streams import ECHO


def interfaces():
    return [name for _, name in socket.if_nameindex()]


def start(*words):
    """Runs ackd where it has to refuse: (exit status, what it said)."""
    d = Daemon()
    try:
        done = subprocess.run([d.program, *words], capture_output=True, text=True, timeout=10, check=False)
        return done.returncode, done.stderr
    finally:
        d.directory.cleanup()


@case("an address that the host owns is refused, before anything is touched")
def conflict():
    subprocess.run(["ip", "addr", "add", "10.99.0.1/24", "dev", "lo"], check=True)
    try:
        with Daemon() as other:  # its host address is one that the host owns, too
            for address, interface in (("10.99.0.1/24", "lo"), (other.host6 + "/64", other.tap)):
                status, said = start("--link", "tap:never", "--address", address, "--socket", "/tmp/ackd-never.sock")
                equal(status, 1, "exit status")
                check(address.split("/", maxsplit=1)[0] in said and interface in said, said)
                check("never" not in interfaces(), "the TAP was made all the same")
    finally:
        subprocess.run(["ip", "addr", "del", "10.99.0.1/24", "dev", "lo"], check=True)


@case("a bad option is refused with its place and what would be right")
def bad_option():
    status, said = start("--link", "tap:never", "--adress", "10.0.0.2/24")
    equal(status, 2, "exit status")
    check("did you mean --address" in said, said)


@case("a TAP in use is refused")
def tap_in_use():
    with Daemon() as d:
        status, said = start("--link", f"tap:{d.tap}", "--address", "10.98.0.2/24", "--socket", "/tmp/ackd-never.sock")
        equal(status, 1, "exit status")
        check("busy" in said, said)


@case("a persistent TAP is taken over, and left when the daemon ends")
def persistent():
    subprocess.run(["ip", "tuntap", "add", "dev", "kept0", "mode", "tap", "vnet_hdr"], check=True)
    try:
        for _ in range(2):
            with Daemon(link="kept0") as d, d.connect(ECHO) as s:
                s.sendall(b"x")
                equal(s.recv(1), b"x", "echoed")
            check("kept0" in interfaces(), "the TAP is gone")
    finally:
        subprocess.run(["ip", "link", "del", "kept0"], check=False)


@case("a killed daemon's successor serves at once")
def successor():
    d = Daemon()
    with d:
        d.kill()
        open(d.log, "w", encoding="ascii").close()
        d.start()
        for family in (4, 6):
            with d.connect(ECHO, family) as s:
                s.sendall(b"x")
                equal(s.recv(1), b"x", "echoed")
