"""product.py SOCKET: ackd's own services from stock grpcio, every step one line."""
import sys
import threading

import grpc
from ackd.v1 import daemon_pb2, daemon_pb2_grpc, inspect_pb2, inspect_pb2_grpc, tcp_pb2, tcp_pb2_grpc, types_pb2

ADDRESS, PORT = "10.9.0.1", 6001
channel = grpc.insecure_channel("unix://" + sys.argv[1])
tcp, inspect = tcp_pb2_grpc.TcpStub(channel), inspect_pb2_grpc.InspectStub(channel)
daemon = daemon_pb2_grpc.DaemonStub(channel)
failures = 0
state = {}


def step(name):
    def wrap(body):
        global failures
        try:
            body()
            print(f"ok rpc python {name}", flush=True)
        except Exception as error:  # a failed step is a line, and the next ones still run
            failures += 1
            print(f"not ok rpc python {name}: {type(error).__name__}: {str(error)[:200]!r}", flush=True)
    return wrap


def same(got, want):
    if got != want:
        raise AssertionError(f"{got!r} is not {want!r}")


@step("version")
def _():
    same(daemon.GetVersion(daemon_pb2.GetVersionRequest()).schema, "ackd.v1")


@step("session")
def _():
    ask = threading.Event()

    def requests():
        yield tcp_pb2.SessionRequest(grace_ms=1000, name="python")
        ask.wait(60)
    state["end"] = ask
    state["session"] = tcp.Session(requests())
    first = next(state["session"])
    same(len(first.token) >= 32, True)
    state["id"] = first.session_id


def ownership():
    return tcp_pb2.Ownership(session_id=state["id"], label="python")


@step("watch")
def _():
    watch = inspect.Watch(inspect_pb2.WatchRequest(initial_snapshot=True, segments=True))
    for event in watch:
        if event.WhichOneof("event") == "synced":
            break
    state["watch"] = watch


@step("listen")
def _():
    r = tcp.Listen(tcp_pb2.ListenRequest(local=types_pb2.Endpoint(port=PORT), ownership=ownership()))
    state["listener"] = r.id
    same(r.local.port, PORT)


@step("open")
def _():
    r = tcp.Open(tcp_pb2.OpenRequest(remote=types_pb2.Endpoint(address=ADDRESS, port=PORT), ownership=ownership(), wait_ms=5000, request_id="once"))
    same(r.state, types_pb2.STATE_ESTABLISHED)
    state["near"] = r.id
    again = tcp.Open(tcp_pb2.OpenRequest(remote=types_pb2.Endpoint(address=ADDRESS, port=PORT), ownership=ownership(), wait_ms=5000, request_id="once"))
    same(again.id, r.id)


@step("accept")
def _():
    r = tcp.Accept(tcp_pb2.AcceptRequest(id=state["listener"], ownership=ownership(), wait_ms=5000))
    state["far"] = r.id
    same(tcp.Accept(tcp_pb2.AcceptRequest(id=state["listener"], ownership=ownership())).id, 0)


@step("send and receive by offsets")
def _():
    data = bytes(range(256)) * 16
    same(tcp.Send(tcp_pb2.SendRequest(id=state["near"], data=data)).accepted_until, len(data))
    same(tcp.Send(tcp_pb2.SendRequest(id=state["near"], data=data)).accepted_until, len(data))  # a repeat changes nothing
    got = tcp.Receive(tcp_pb2.ReceiveRequest(id=state["far"], min_bytes=len(data), wait_ms=5000))
    same(got.data, data)
    same(tcp.Receive(tcp_pb2.ReceiveRequest(id=state["far"], from_offset=100, min_bytes=1)).data, data[100:])
    empty = tcp.Receive(tcp_pb2.ReceiveRequest(id=state["far"], from_offset=len(data), min_bytes=1, wait_ms=50))
    same((empty.offset, empty.data), (len(data), b""))  # a wait that ends is an answer
    state["offset"] = len(data)


@step("stream")
def _():
    def up():
        yield tcp_pb2.StreamRequest(id=state["near"], offset=state["offset"], keep_open=True)
        for n in range(16):
            yield tcp_pb2.StreamRequest(offset=state["offset"] + n * 1000, data=bytes([n]) * 1000)
        state["more"].wait(30)
    state["more"] = threading.Event()
    calls = tcp.Stream(up())
    at, want = state["offset"], state["offset"] + 16000
    while at < want:
        got = tcp.Receive(tcp_pb2.ReceiveRequest(id=state["far"], from_offset=at, min_bytes=1, wait_ms=5000))
        at += len(got.data)
    tcp.Send(tcp_pb2.SendRequest(id=state["far"], data=b"down the stream"))
    down = b""
    for message in calls:
        down += message.data
        if down == b"down the stream":
            break
    state["more"].set()


@step("list and get")
def _():
    rows = [row for part in inspect.List(inspect_pb2.ListRequest(filter=inspect_pb2.Filter(label="python"))) for row in part.connections]
    same({r.id for r in rows}, {state["listener"], state["near"], state["far"]})
    full = inspect.Get(inspect_pb2.GetRequest(id=state["near"])).connection
    same(full.state, types_pb2.STATE_ESTABLISHED)
    same(full.bytes_acked > 0 and full.WhichOneof("srtt_ns_known") == "srtt_ns", True)


@step("why and counters")
def _():
    same(bool(inspect.Why(inspect_pb2.WhyRequest(id=state["near"])).sentence), True)
    same(len(inspect.Counters(inspect_pb2.CountersRequest(prefix="tcp.")).counters) > 20, True)


@step("an error tells errno and reason")
def _():
    try:
        tcp.Open(tcp_pb2.OpenRequest(remote=types_pb2.Endpoint(address=ADDRESS, port=6999), ownership=ownership(), wait_ms=5000))
        raise AssertionError("it was not refused")
    except grpc.RpcError as error:
        same(error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED), False)
        details = dict(error.trailing_metadata())["grpc-status-details-bin"]
        same(b"ECONNREFUSED" in details and b"RST_IN_SYN_SENT" in details, True)


@step("close and end of stream")
def _():
    tcp.Close(tcp_pb2.CloseRequest(id=state["near"], how=tcp_pb2.CloseRequest.HOW_SEND))
    at = tcp.Status(tcp_pb2.StatusRequest(id=state["far"])).receive_offset
    while True:
        got = tcp.Receive(tcp_pb2.ReceiveRequest(id=state["far"], from_offset=at, min_bytes=1, wait_ms=5000))
        at += len(got.data)
        if got.end_of_stream:
            break
    tcp.Close(tcp_pb2.CloseRequest(id=state["far"]))


@step("watch told it all")
def _():
    seen, sequence = set(), None
    for event in state["watch"]:
        if sequence is not None:
            same(event.sequence, sequence + 1)
        sequence = event.sequence
        if event.WhichOneof("event") == "state" and event.state.id == state["near"]:
            seen.add(event.state.new_state)
        if types_pb2.STATE_FIN_WAIT_1 in seen:
            break
    same({types_pb2.STATE_SYN_SENT, types_pb2.STATE_ESTABLISHED} <= seen, True)
    state["watch"].cancel()


@step("a session's end ends its endpoints")
def _():
    events = inspect.Watch(inspect_pb2.WatchRequest(filter=inspect_pb2.Filter(ids=[state["listener"]])))
    state["end"].set()
    for event in events:
        if event.WhichOneof("event") == "state" and event.state.new_state == types_pb2.STATE_CLOSED:
            break
    events.cancel()


sys.exit(1 if failures else 0)
