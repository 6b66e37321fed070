"""Signed connections: TCP-MD5 (RFC 2385) and TCP-AO (RFC 5925) with the kernel as the peer, in both directions and families. The kernel checks every
segment of ours and ackd every one of the kernel's, so a transfer that comes through has shown both MACs."""
import errno
import socket
import struct

from cases.active import PORT, Server, ackctl, state
from daemon import Daemon
from harness import Case, Skip, check, equal, until
from streams import DISCARD, ECHO, MB, Source, read_digest, send_in_thread

TCP_MD5SIG, TCP_AO_ADD_KEY = 14, 38
SECRET = b"bgp-secret"


def sockaddr(address, port=0):
    """struct sockaddr_storage of the peer."""
    if ":" in address:
        packed = struct.pack("=HHI16sI", socket.AF_INET6, socket.htons(port), 0, socket.inet_pton(socket.AF_INET6, address), 0)
    else:
        packed = struct.pack("=HH4s8x", socket.AF_INET, socket.htons(port), socket.inet_aton(address))
    return packed.ljust(128, b"\0")


def set_option(s, option, value, what):
    try:
        s.setsockopt(socket.IPPROTO_TCP, option, value)
    except OSError as error:
        if error.errno in (errno.ENOPROTOOPT, errno.EOPNOTSUPP):
            raise Skip(f"this kernel has no {what}") from None
        raise


def md5(s, peer, secret):
    """struct tcp_md5sig: address, flags, prefix length, key length, interface, key."""
    set_option(s, TCP_MD5SIG, sockaddr(peer) + struct.pack("=BBHI80s", 0, 0, len(secret), 0, secret), "TCP_MD5SIG")


def ao(s, peer, secret, name, send_id, receive_id):
    """struct tcp_ao_add: set_current and set_rnext."""
    prefix = 128 if ":" in peer else 32
    value = sockaddr(peer) + struct.pack("=64siIHBBBBBB80s", name.encode(), 0, 3, 0, prefix, send_id, receive_id, 12, 0, len(secret), secret)
    set_option(s, TCP_AO_ADD_KEY, value, "TCP-AO (CONFIG_TCP_AO)")


ALGORITHMS = {"md5": None, "hmac-sha-1-96": "hmac(sha1)", "aes-128-cmac-96": "cmac(aes128)"}


def sign(s, algorithm, peer, secret=SECRET):
    """The kernel's half of the key."""
    if algorithm == "md5":
        md5(s, peer, secret)
    else:
        ao(s, peer, secret, ALGORITHMS[algorithm], 8, 7)


def add_key(d, algorithm, peer):
    ids = [] if algorithm == "md5" else ["--send-id", "7", "--receive-id", "8"]
    return ackctl(d, "key", "add", *ids, algorithm, peer, data=SECRET + b"\n").decode().strip()


def supported(algorithm):
    with socket.socket() as s:
        sign(s, algorithm, "10.9.0.1")


def echoed(algorithm, family):
    """The kernel opens; 4 MB there and back."""
    def run():
        supported(algorithm)
        with Daemon() as d:
            host, us = (d.host4, d.v4) if family == 4 else (d.host6, d.v6)
            add_key(d, algorithm, host)
            with d.connect(ECHO, family, before=lambda s: sign(s, algorithm, us)) as s:
                source = Source(4 * MB, seed=family)
                join = send_in_thread(s, source)
                got = read_digest(s)
                join()
                equal(got, (4 * MB, source.digest.hexdigest()), "echoed")
            equal(ackctl(d, "stats", "tcp.drop.auth").decode().strip(), "", "what ackd discarded")
    return run


def opened(algorithm, family):
    """ackd opens; and a reset of ours is believed."""
    def run():
        supported(algorithm)
        with Daemon() as d:
            host, us = (d.host4, d.v4) if family == 4 else (d.host6, d.v6)
            key = add_key(d, algorithm, host)
            with Server(d, family) as server:
                sign(server.socket, algorithm, us)
                connection, s = server.open(d)
                with s:
                    equal(ackctl(d, "show", connection, "auth_key").decode().strip(), key, "the key in use")
                    ackctl(d, "send", connection, "signed")
                    equal(s.recv(6), b"signed", "received by the kernel")
                    s.sendall(b"too")
                    equal(ackctl(d, "recv", "--min", "3", connection), b"too", "received by ackd")
                    ackctl(d, "abort", connection)
                    try:
                        s.recv(1)
                        check(False, "the kernel did not believe the reset")
                    except ConnectionResetError:
                        pass
    return run


def unsigned(algorithm):
    """Who has no key, or another, gets no answer; what ackd opens to it times out."""
    def run():
        supported(algorithm)
        with Daemon() as d:
            add_key(d, algorithm, d.host4)
            for before in (None, lambda s: sign(s, algorithm, d.v4, b"another")):
                try:
                    d.connect(DISCARD, timeout=1.5, before=before).close()
                    check(False, "a connection without the right key")
                except TimeoutError:
                    pass
            with Server(d, 4):
                connection = ackctl(d, "open", "--no-wait", f"{d.host4}:{PORT}").decode().strip()
                until(lambda: state(d, connection) == "SYN-SENT", 5, "SYN-SENT")
            listed = ackctl(d, "key", "ls").decode()
            check(SECRET.decode() not in listed and "(hidden)" in listed, "a key is not shown")
            check(SECRET.decode() not in d.logged(), "a key is not logged")
    return run


CASES = [Case(f"{a} {what}, IPv{f}", 60, make(a, f))
         for a in ALGORITHMS for what, make in (("through echo", echoed), ("opened by ackd", opened)) for f in (4, 6)]
CASES += [Case(f"{a} and who does not know the key", 30, unsigned(a)) for a in ALGORITHMS]
