"""Other TCP stacks that Debian packages, beside ackd in ./dev bench: skipped by name where they are not installed.

lwIP stands on a TAP; gVisor's netstack on a packet socket behind a veth, as its runsc does; slirp4netns is used as it is used, to reach a server of
the kernel's outside of a namespace, so that what is measured is a proxy and both ends of the kernel's."""
import os
import shutil
import subprocess

from place import BUILD, PROGRAMS, Failed, interface_drops, ip, read
from subjects import CONGESTION, SERVER_CPU, Subject, Unavailable, end, kernel_retransmissions, on_cpu, prepare

NAMES = ["lwip", "gvisor", "slirp4netns"]
HERE = os.path.dirname(os.path.abspath(__file__))
GO_PACKAGES = "/usr/share/gocode"


class Lwip(Subject):
    def start(self):
        program = os.path.join(PROGRAMS, "bench-peer-lwip")
        if not os.path.exists(program):
            raise Unavailable("liblwip-dev was not there when this was built")
        ip("tuntap", "add", "name", self.link, "mode", "tap")
        ip("link", "set", self.link, "up", "txqueuelen", "16384")
        self.host_addresses()
        self.start_program([program, self.link, self.v4], "ready")


class Gvisor(Subject):
    def start(self):
        program = self.build()
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], preexec_fn=on_cpu(SERVER_CPU))
        self.wait_for_namespace()
        pid = str(self.holder.pid)
        ip("link", "add", self.link, "type", "veth", "peer", "name", "peer", "netns", pid)
        ip("link", "set", self.link, "up")
        ip("link", "set", "peer", "up", inside=pid)
        self.host_addresses()
        self.start_program(["nsenter", f"--net=/proc/{pid}/ns/net", program, "peer", self.v4], "ready")

    def wait_for_namespace(self):
        """unshare has made the namespace when it runs what it was asked to run."""
        while read(f"/proc/{self.holder.pid}/comm").strip() != "sleep":
            if self.holder.poll() is not None:
                raise Failed("gvisor: no namespace")

    @staticmethod
    def build():
        """The program, made when its source is newer."""
        source, program = os.path.join(HERE, "peer_gvisor", "main.go"), os.path.join(PROGRAMS, "bench-peer-gvisor")
        if not os.path.isdir(os.path.join(GO_PACKAGES, "src/gvisor.dev/gvisor")):
            raise Unavailable("golang-gvisor-gvisor-dev is not installed")
        if not shutil.which("go"):
            raise Unavailable("golang-go is not installed")
        if os.path.exists(program) and os.path.getmtime(program) > os.path.getmtime(source):
            return program
        settings = {**os.environ, "GO111MODULE": "off", "GOPATH": GO_PACKAGES, "GOCACHE": os.path.join(BUILD, "go-cache"), "GOFLAGS": "-p=2",
                    "CGO_ENABLED": "0"}
        done = subprocess.run(["go", "build", "-o", program, source], env=settings, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Unavailable(f"it does not build: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else done.returncode}")
        return program

    def stop(self):
        super().stop()
        end(getattr(self, "holder", None))


class Slirp(Subject):
    """The client is inside of a namespace, slirp4netns leads out of it, and the server is on the loopback interface outside."""

    def __init__(self, name, link, number):
        super().__init__(name, link, number)
        self.v4, self.host4 = "10.0.2.2", ["10.0.2.100"]
        self.holder = self.server = None

    def start(self):
        if not shutil.which("slirp4netns"):
            raise Unavailable("slirp4netns is not installed")
        self.server = subprocess.Popen([os.path.join(PROGRAMS, "bench-server"), CONGESTION], stdout=subprocess.PIPE, text=True,
                                       preexec_fn=on_cpu(SERVER_CPU))
        self.server.stdout.readline()
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], preexec_fn=on_cpu(SERVER_CPU))
        while read(f"/proc/{self.holder.pid}/comm").strip() != "sleep":
            if self.holder.poll() is not None:
                raise Failed("slirp4netns: no namespace")
        pid = str(self.holder.pid)
        self.enter = ["nsenter", f"--net=/proc/{pid}/ns/net"]
        prepare(pid)
        told, tell = os.pipe()
        self.process = subprocess.Popen(["slirp4netns", "--configure", "--mtu=65520", f"--ready-fd={tell}", pid, self.link], pass_fds=[tell],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=on_cpu(SERVER_CPU))
        os.close(tell)
        ready = os.read(told, 1)
        os.close(told)
        if ready != b"1":
            raise Unavailable("it did not come up (its log is not kept); it may lack a right")

    def retransmissions(self):
        return kernel_retransmissions(self.holder.pid)

    def drops(self):
        return interface_drops(read(f"/proc/{self.holder.pid}/net/dev"), self.link)

    def stop(self):
        for process in (self.process, self.server, self.holder):
            end(process)


def subjects():
    return [Lwip("lwip", "lwip0", 91), Gvisor("gvisor", "vethg", 92), Slirp("slirp4netns", "slirp0", 93)]
