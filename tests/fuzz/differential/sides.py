"""The two stacks under comparison, each on a TAP of this namespace whose other end is a peer of ours, and their users.

A side has the same verbs for both: send(frame), and the user calls listen, open, accept, send, receive, close (of our direction), release
(of the endpoint), abort. Every call answers a number, or the errno's name when it failed; none waits."""
import errno
import fcntl
import os
import socket
import struct
import subprocess
import threading
import time

import wire

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454ca, 0x0002, 0x1000
FRAME_MAX = 70000
NO_PATIENCE = {errno.EAGAIN, errno.EINPROGRESS}


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def sysctl(name, value):
    """Sets a knob of this namespace where the kernel has it."""
    path = "/proc/sys/net/" + name
    if os.path.exists(path):
        with open(path, "w", encoding="ascii") as f:
            f.write(str(value))


class Side:
    """What both have in common: the peer's end of the TAP, and who waits for what it reads."""

    def __init__(self, name, address, peer):
        self.name, self.address, self.peer = name, address, peer
        self.mac = None
        self.flows = {}
        self.thread = threading.Thread(target=self.read_all, daemon=True)

    def write(self, frame):
        raise NotImplementedError

    def read(self):
        raise NotImplementedError

    def read_all(self):
        while True:
            try:
                frame = self.read()
            except OSError:  # the TAP is gone: the end
                return
            if frame is None:
                continue
            answer = wire.arp_answer(frame, self.peer)
            if answer:
                self.write(answer)
                continue
            segment = wire.parse(frame, time.monotonic())
            flow = segment and self.flows.get((segment.sport, segment.dport))
            if flow:
                flow.received(segment)


class Kernel(Side):
    def __init__(self):
        super().__init__("kernel", "10.78.0.1", "10.78.0.2")
        self.fd = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(self.fd, TUNSETIFF, struct.pack("16sH", b"diffk", IFF_TAP | IFF_NO_PI))
        sysctl("ipv6/conf/diffk/disable_ipv6", 1)
        # Defaults that the RFCs leave open, as ackd has them: docs/differential.md.
        for name, value in (("tcp_invalid_ratelimit", 0), ("tcp_rfc1337", 1), ("tcp_ecn", 0), ("tcp_no_metrics_save", 1),
                            ("tcp_syncookies", 0), ("tcp_challenge_ack_limit", 0x7fffffff)):
            sysctl("ipv4/" + name, value)
        ip("addr", "add", self.address + "/24", "dev", "diffk")
        ip("link", "set", "diffk", "up")
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
            s.bind(("diffk", 0))
            self.mac = s.getsockname()[4]
        self.sockets, self.last, self.lock = {}, 0, threading.Lock()
        self.thread.start()

    def write(self, frame):
        os.write(self.fd, frame)

    def read(self):
        return os.read(self.fd, FRAME_MAX)

    def know(self, s):
        s.setblocking(False)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        with self.lock:
            self.last += 1
            self.sockets[self.last] = s
            return self.last

    def call(self, verb, *arguments):
        try:
            return getattr(self, "do_" + verb)(*arguments)
        except OSError as error:
            return 0 if error.errno in NO_PATIENCE else errno.errorcode.get(error.errno, str(error.errno))
        except KeyError:
            return "EBADF"

    def do_listen(self, port):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((self.address, port))
        s.listen(8)
        return self.know(s)

    def do_open(self, port, local):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.setblocking(False)
        s.bind((self.address, local))
        try:
            s.connect((self.peer, port))
        except BlockingIOError:
            pass
        return self.know(s)

    def do_accept(self, handle):
        return self.know(self.sockets[handle].accept()[0])

    def do_send(self, handle, count):
        return self.sockets[handle].send(bytes(count))

    def do_receive(self, handle, count):
        taken = 0
        try:
            while taken < count:  # a call ends at the urgent mark
                n = len(self.sockets[handle].recv(count - taken))
                if n == 0:
                    break
                taken += n
        except BlockingIOError:
            pass
        return taken

    def do_close(self, handle):
        self.sockets[handle].shutdown(socket.SHUT_WR)
        return 0

    def do_release(self, handle):
        self.sockets.pop(handle).close()
        return 0

    def do_abort(self, handle):
        s = self.sockets.pop(handle)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
        return 0


class Ackd(Side):
    def __init__(self, build, directory):
        super().__init__("ackd", "10.77.0.1", "10.77.0.2")
        control = os.path.join(directory, "control.sock")
        self.log = os.path.join(directory, "log")
        with open(self.log, "wb") as log:
            self.daemon = subprocess.Popen([os.path.join(build, "daemon", "ackd"), "--link", "tap:diffa", "--address", self.address + "/24",
                                            "--socket", control], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + 10
        while "is ready" not in self.logged():
            if self.daemon.poll() is not None or time.monotonic() > end:
                raise RuntimeError("ackd does not start: " + self.logged())
            time.sleep(0.02)
        self.user = subprocess.Popen([os.path.join(build, "tests", "fuzz", "differential", "differential-user"), control],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.lock = threading.Lock()
        sysctl("ipv6/conf/diffa/disable_ipv6", 1)
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)
        self.socket.bind(("diffa", 0))
        self.find_mac()
        self.thread.start()

    def logged(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def find_mac(self):
        """Asks for the daemon's link address as any neighbour would."""
        question = (b"\xff" * 6 + wire.PEER_MAC + b"\x08\x06" + bytes.fromhex("0001080006040001") + wire.PEER_MAC +
                    socket.inet_aton(self.peer) + bytes(6) + socket.inet_aton(self.address))
        self.socket.settimeout(1)
        for _ in range(5):
            self.write(question)
            frame = self.socket.recvfrom(FRAME_MAX)[0]
            while frame[12:14] != b"\x08\x06" or frame[20:22] != b"\x00\x02":
                frame = self.socket.recvfrom(FRAME_MAX)[0]
            self.mac = frame[6:12]
            break
        self.socket.settimeout(None)

    def write(self, frame):
        self.socket.send(frame)

    def read(self):
        frame, where = self.socket.recvfrom(FRAME_MAX)
        return None if where[2] == socket.PACKET_OUTGOING else frame

    def call(self, verb, *arguments):
        if verb == "open":
            arguments = (self.peer, *arguments)
        with self.lock:
            self.user.stdin.write(" ".join([verb, *map(str, arguments)]) + "\n")
            answer = self.user.stdout.readline().split()
        if not answer:
            raise RuntimeError("ackd or its user is gone: " + self.logged())
        if answer[0].startswith("-"):
            return 0 if answer[0] == "-EAGAIN" else answer[0][1:]
        return int(answer[0])

    def where(self, port, peer_port):
        """The connection's state, and its numbers by name."""
        with self.lock:
            self.user.stdin.write(f"where {port} {peer_port}\n")
            answer = self.user.stdout.readline().split()
        names = ("iss", "irs", "snd_una", "snd_nxt", "rcv_nxt", "rcv_wnd", "ts_recent")
        return answer[0], dict(zip(names, map(int, answer[1:])))

    def stop(self):
        self.user.stdin.close()
        self.user.wait(10)
        self.daemon.terminate()
        try:
            return self.daemon.wait(15)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            return self.daemon.wait()
