#!/usr/bin/env python3
"""verify.py CLIENT SERVER HOLD: the bench's clients against servers that lie, and against the bench's own server, which does not.

The figures of a bench are worth what its client notices: a byte lost or doubled in chargen's stream, an echo of another byte, a stream that the peer
does not end in order, a reset. Everything on the loopback interface; no figure is looked at. The server's ports need privileges: without them its part
is left out."""
import json
import socket
import subprocess
import sys
import threading

CLIENT, SERVER, HOLD = sys.argv[1:]
PERIOD = b"".join(bytes(32 + (line + column) % 95 for column in range(72)) + b"\r\n" for line in range(95))
PATTERN = PERIOD * 200
SHORT = PERIOD * 4   # a lie comes early: a busy machine carries little in a tenth of a second


def held(port):
    """What the client that holds connections says of 20 that send 100 bytes to an echo."""
    commands = "open 20 4\nsend 100 20\n"
    done = subprocess.run([HOLD, "127.0.0.1", str(port), "reno", "127.0.0.1"], input=commands, capture_output=True, text=True, check=False, timeout=60)
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or len(answers) != 2 or answers[0]["operations"] != 20:
        return done.stderr or "not all were opened"
    return answers[1]["unverified"] or ("" if answers[1]["operations"] == 20 else "not all came back")


def measure(mode, port, *options):
    if mode == "hold":
        return held(port)
    done = subprocess.run([CLIENT, mode, "127.0.0.1", str(port), "--seconds", "0.1", *options], capture_output=True, text=True, check=False, timeout=60)
    return json.loads(done.stdout)["unverified"] if done.returncode == 0 else done.stderr


def against(mode, serve, *options):
    """What the client says of a server whose connections are each given to `serve`."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept():
        while True:
            try:
                s = listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=attempt, args=(s,), daemon=True).start()

    def attempt(s):
        try:
            serve(s)
        except OSError:
            pass
        s.close()
    threading.Thread(target=accept, daemon=True).start()
    said = measure(mode, listener.getsockname()[1], *options)
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    return said


def sends(stream):
    def serve(s):
        while True:
            s.sendall(stream)
    return serve


def echoes(change):
    def serve(s):
        while data := s.recv(4096):
            s.sendall(change(data))
    return serve


def drains(s):
    while s.recv(1 << 20):
        pass


def drains_and_talks(s):
    drains(s)
    s.sendall(b"x")


def resets(s):
    s.recv(1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def main():
    same, other = echoes(lambda b: b), echoes(lambda b: b[:-1] + bytes([b[-1] ^ 1]))
    honest = [("recv", sends(PATTERN)), ("send", drains), ("ping", same), ("connect", same), ("hold", same)]
    lies = [("recv", sends(SHORT[:-1]), "a byte lost in every 4 periods"), ("recv", sends(SHORT + b" "), "a byte too many"),
            ("recv", sends(PATTERN[1:]), "another beginning"), ("recv", lambda s: s.sendall(SHORT), "an end"),
            ("send", drains_and_talks, "a byte from discard"), ("send", resets, "a reset"), ("ping", other, "another byte"),
            ("connect", other, "another byte"), ("connect", resets, "a reset"),
            ("hold", other, "another byte"), ("hold", resets, "a reset")]
    bad = [f"{mode}: honest, and void: {said}" for mode, serve in honest if (said := against(mode, serve))]
    bad += [f"{mode}: {what} was not noticed" for mode, serve, what in lies if not against(mode, serve)]
    server = subprocess.Popen([SERVER], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if server.stdout.readline() == "ready\n":
        bad += [f"{mode} of bench-server: {said}" for mode, port in (("recv", 19), ("send", 9), ("ping", 7), ("connect", 7))
                if (said := measure(mode, port, "--connections", "1" if mode == "ping" else "4"))]
    server.kill()
    server.wait()
    for line in bad:
        print(line)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
