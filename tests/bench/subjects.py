"""Who is measured by ./dev bench: ackd, the kernel's TCP, the floors under them. Each on cpu 1 behind a link of its own (peers.py has those of others)."""
import ctypes
import json
import os
import signal
import subprocess

from place import BUILD, PROGRAMS, Failed, interface_drops, ip, read

CONGESTION = "reno"   # of every end that can choose
SOURCES = 8           # addresses of the client: the ports of one would soon all be in TIME-WAIT
CPUS = sorted(os.sched_getaffinity(0))
CLIENT_CPU, SERVER_CPU = CPUS[0], CPUS[min(1, len(CPUS) - 1)]

SETTINGS = {
    "net/ipv4/ip_local_port_range": "1024 65535",
    "net/ipv4/tcp_tw_reuse": "1",
    "net/ipv4/tcp_no_metrics_save": "1",       # one run must not teach the next
    # A tail loss probe retransmits after two round trips of silence, which is a peer without a processor for 100 us. A real loss still shows.
    "net/ipv4/tcp_early_retrans": "0",
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv6/conf/all/accept_dad": "0",
    "net/ipv6/conf/default/router_solicitations": "0",   # frames that would wake who is to be idle
    "net/ipv6/conf/all/router_solicitations": "0",
}


class Unavailable(Exception):
    """A subject that this machine or this build does not have; the text says why."""


def prepare(pid=None):
    """Settings of a namespace: ours, or that of a process."""
    enter = ["nsenter", f"--net=/proc/{pid}/ns/net"] if pid else []
    for name, value in SETTINGS.items():
        command = f"echo '{value}' >/proc/sys/{name}"
        subprocess.run([*enter, "sh", "-c", command], capture_output=True, check=False)
    ip("link", "set", "lo", "up", inside=pid)


LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def on_cpu(cpu):
    """For preexec_fn: the program runs there, and ends when the bench does, however that ends."""
    def place():
        os.sched_setaffinity(0, {cpu})
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    return place


def end(process):
    if process and process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def await_line(process, ready, name):
    """Waits until the program says that it is ready."""
    said = []
    for line in process.stdout:
        said.append(line)
        if ready in line:
            return
    raise Failed(f"{name} did not start: {''.join(said).strip()}")


def kernel_retransmissions(pid):
    lines = [line.split() for line in read(f"/proc/{pid}/net/snmp").splitlines() if line.startswith("Tcp:")]
    return int(lines[1][lines[0].index("RetransSegs")])


class Subject:
    """A peer on cpu 1 behind a link of its own. Counters are sums since it began."""

    def __init__(self, name, link, number):
        self.name, self.link = name, link
        self.v4, self.v6 = f"10.{number}.0.100", f"fd00:{number}::100"
        self.host4 = [f"10.{number}.0.{i + 1}" for i in range(SOURCES)]
        self.host6 = f"fd00:{number}::1"
        self.process = None
        self.enter = []       # the command prefix that leads to where the client of this peer runs

    def start_program(self, command, ready, cpu=SERVER_CPU):
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        preexec_fn=on_cpu(cpu))
        await_line(self.process, ready, self.name)

    def host_addresses(self):
        for address in self.host4:
            ip("address", "add", address + "/24", "dev", self.link)
        ip("address", "add", self.host6 + "/64", "dev", self.link, "nodad")

    def times(self):
        """Nanoseconds that all its threads were on a processor, and that they waited for one."""
        folder = f"/proc/{self.process.pid}/task"
        stats = [read(f"{folder}/{task}/schedstat").split() for task in os.listdir(folder)]
        return sum(int(s[0]) for s in stats), sum(int(s[1]) for s in stats)

    def retransmissions(self):
        return 0

    def drops(self):
        return interface_drops(read("/proc/net/dev"), self.link)

    def stop(self):
        end(self.process)


class Ackd(Subject):
    def __init__(self, name, link, number, folder, *options):
        super().__init__(name, link, number)
        self.socket = os.path.join(folder, name + ".sock")
        self.options = options

    def command(self):
        host = [f"--host-address={a}/24" for a in self.host4] + [f"--host-address={self.host6}/64"]
        return [os.path.join(BUILD, "daemon", "ackd"), "--link", "tap:" + self.link, "--address", self.v4 + "/24", "--address", self.v6 + "/64", *host,
                "--service", "echo,discard,chargen", "--socket", self.socket, *self.options]

    def start(self):
        self.start_program(self.command(), "is ready")

    def ackctl(self, *words):
        done = subprocess.run([os.path.join(BUILD, "client", "ackctl"), "--socket", self.socket, *words], capture_output=True, text=True,
                              check=False, timeout=10)
        if done.returncode != 0:
            raise Failed(f"ackctl {' '.join(words)}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def retransmissions(self):
        counters = self.ackctl("stats", "-a", "-j", "tcp.retrans")["counters"]
        return sum(int(c.get("value", 0)) for c in counters if c["name"] == "tcp.retrans_segs")

    def resident(self):
        """Bytes of memory that it has."""
        return int(read(f"/proc/{self.process.pid}/statm").split()[1]) * os.sysconf("SC_PAGE_SIZE")


class BusyAckd(Ackd):
    """Spins for a while before it sleeps."""

    def start(self):
        said = subprocess.run([self.command()[0], "--help"], capture_output=True, text=True, check=False).stdout
        if "--busy-poll" not in said:
            raise Unavailable("this ackd has no --busy-poll")
        super().start()


class Floor(Subject):
    def __init__(self, name, link, number, mode):
        super().__init__(name, link, number)
        self.mode = mode

    def start(self):
        ip("tuntap", "add", "name", self.link, "mode", "tap", "vnet_hdr")
        self.start_program([os.path.join(PROGRAMS, "bench-floor"), self.link, self.mode], "ready")
        ip("link", "set", self.link, "up", "txqueuelen", "16384")
        self.host_addresses()
        ip("neighbour", "add", self.v4, "lladdr", "02:00:00:00:00:99", "dev", self.link, "nud", "permanent")


class Kernel(Subject):
    def start(self):
        self.start_program(["unshare", "--net", os.path.join(PROGRAMS, "bench-server"), CONGESTION], "ready")
        pid = str(self.process.pid)
        prepare(pid)
        ip("link", "add", self.link, "type", "veth", "peer", "name", "peer", "netns", pid)
        ip("link", "set", self.link, "up")
        ip("link", "set", "peer", "up", inside=pid)
        self.host_addresses()
        ip("address", "add", self.v4 + "/24", "dev", "peer", inside=pid)
        ip("address", "add", self.v6 + "/64", "dev", "peer", "nodad", inside=pid)

    def retransmissions(self):
        return kernel_retransmissions(self.process.pid)

    def drops(self):
        return super().drops() + interface_drops(read(f"/proc/{self.process.pid}/net/dev"), "peer")
