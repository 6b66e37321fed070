#!/usr/bin/python3
"""interop.py SOCKET: gRPC's interoperability cases by a stock grpcio client, over a Unix socket. PYTHONPATH leads to the generated code."""
import resource
import socket
import struct
import sys
import time

import grpc
import grpc_testing_pb2 as pb
import grpc_testing_pb2_grpc
from google.protobuf import descriptor_pb2
from grpc_health_pb import health_pb2, health_pb2_grpc
from grpc_reflection_pb import reflection_pb2, reflection_pb2_grpc

SOCKET = sys.argv[1]
SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"


def check(condition, text):
    if not condition:
        raise AssertionError(text)


def code_of(call):
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call succeeded")


def channel(authority=None):
    options = [] if authority is None else [("grpc.default_authority", authority)]
    return grpc.insecure_channel("unix:" + SOCKET, options=options)


def stub(c):
    return grpc_testing_pb2_grpc.TestServiceStub(c)


def large_unary():
    with channel() as c:
        request = pb.SimpleRequest(response_size=314159, payload=pb.Payload(body=bytes(271828)))
        response = stub(c).UnaryCall(request, timeout=30)
        check(response.payload.body == bytes(314159), "%d bytes came" % len(response.payload.body))


def ping_pong():
    sizes = ((31415, 27182), (9, 8), (2653, 1828), (58979, 45904))
    answered = []

    def requests():
        for i, (response_size, payload) in enumerate(sizes):
            while len(answered) < i:
                time.sleep(0.001)
            yield pb.StreamingOutputCallRequest(
                response_parameters=[pb.ResponseParameters(size=response_size)], payload=pb.Payload(body=bytes(payload)))

    with channel() as c:
        for response in stub(c).FullDuplexCall(requests(), timeout=30):
            answered.append(len(response.payload.body))
    check(answered == [size for size, _ in sizes], str(answered))


def cancel_after_begin():
    with channel() as c:
        forever = iter(lambda: time.sleep(0.01) or pb.StreamingInputCallRequest(), None)
        call = stub(c).StreamingInputCall.future(forever)
        check(call.cancel(), "it could not be cancelled")
        check(call.cancelled(), "it was not cancelled")
        check(call.code() == grpc.StatusCode.CANCELLED, str(call.code()))


def timeout_on_sleeping_server():
    def requests():
        yield pb.StreamingOutputCallRequest(payload=pb.Payload(body=bytes(27182)))
        time.sleep(2)

    with channel() as c:
        error = code_of(lambda: list(stub(c).FullDuplexCall(requests(), timeout=0.001)))
        check(error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, str(error.code()))


def special_status_message():
    with channel() as c:
        request = pb.SimpleRequest(response_status=pb.EchoStatus(code=2, message=SPECIAL))
        error = code_of(lambda: stub(c).UnaryCall(request, timeout=30))
        check(error.code() == grpc.StatusCode.UNKNOWN, str(error.code()))
        check(error.details() == SPECIAL, repr(error.details()))


def unimplemented_method():
    with channel() as c:
        error = code_of(lambda: stub(c).UnimplementedCall(pb.Empty(), timeout=30))
        check(error.code() == grpc.StatusCode.UNIMPLEMENTED, str(error.code()))


def with_authority(authority):
    with channel(authority) as c:
        stub(c).EmptyCall(pb.Empty(), timeout=30)


def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def literal(name, value):
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def authority_none():
    """grpcio always sends one, so the request is written by hand."""
    headers = b"".join(literal(*pair) for pair in (
        (b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/grpc.testing.TestService/EmptyCall"),
        (b"content-type", b"application/grpc"), (b"te", b"trailers")))
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(30)
        s.connect(SOCKET)
        s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 4, 1, headers) + frame(0, 1, 1, bytes(5)))
        answer = b""
        while frame(0, 0, 1, bytes(5)) not in answer:  # the empty message; an error has none
            more = s.recv(65536)
            check(more, "the server closed")
            answer += more


def idle_clients():
    """Ten thousand that have greeted and say nothing more (or as many as we may have descriptors): another one is served."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    idle = []
    try:
        for _ in range(min(10000, limit - 200)):
            s = socket.socket(socket.AF_UNIX)
            idle.append(s)
            s.connect(SOCKET)  # waits while the listener's queue is full
            s.settimeout(30)
            s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b""))
        for s in idle:
            check(s.recv(9)[3:4] == b"\x04", "no SETTINGS came")
        with_authority("localhost")
    finally:
        for s in idle:
            s.close()
    with_authority("localhost")


def health():
    with channel() as c:
        s = health_pb2_grpc.HealthStub(c)
        check(s.Check(health_pb2.HealthCheckRequest(), timeout=30).status == 1, "not serving")
        error = code_of(lambda: s.Check(health_pb2.HealthCheckRequest(service="none"), timeout=30))
        check(error.code() == grpc.StatusCode.NOT_FOUND, str(error.code()))
        watch = s.Watch(health_pb2.HealthCheckRequest(service="none"), timeout=30)
        check(next(watch).status == 3, "an unknown service is known")
        watch.cancel()


def reflection(version):
    """What grpcurl does: list, then the file of each service, then the types that its methods name."""
    request = reflection_pb2.ServerReflectionRequest
    with channel() as c:
        ask = c.stream_stream("/grpc.reflection.%s.ServerReflection/ServerReflectionInfo" % version,
                              request_serializer=request.SerializeToString,
                              response_deserializer=reflection_pb2.ServerReflectionResponse.FromString)
        answer = next(ask(iter([request(list_services="")]), timeout=30))
        names = [s.name for s in answer.list_services_response.service]
        check("grpc.health.v1.Health" in names and "grpc.testing.TestService" in names, str(names))
        questions = [request(file_containing_symbol="ackd.v1.Tcp"), request(file_by_filename="ackd/v1/inspect.proto")]
        for answer in ask(iter(questions), timeout=30):
            files = [descriptor_pb2.FileDescriptorProto.FromString(f)
                     for f in answer.file_descriptor_response.file_descriptor_proto]
            check(files and set(files[-1].dependency) <= {f.name for f in files}, "an import is missing")


CASES = [
    ("large_unary", large_unary), ("ping_pong", ping_pong), ("cancel_after_begin", cancel_after_begin),
    ("timeout_on_sleeping_server", timeout_on_sleeping_server), ("special_status_message", special_status_message),
    ("unimplemented_method", unimplemented_method),
    ("authority_localhost", lambda: with_authority("localhost")),
    ("authority_path", lambda: with_authority(SOCKET)),
    ("authority_percent_encoded", lambda: with_authority(SOCKET.replace("/", "%2F"))),
    ("authority_none", authority_none),
    ("idle_clients", idle_clients), ("health", health), ("reflection_v1", lambda: reflection("v1")), ("reflection_v1alpha", lambda: reflection("v1alpha")),
]

failed = 0
for name, case in CASES:
    try:
        case()
        print("ok python " + name, flush=True)
    except Exception as error:  # whatever it is, it is this case's failure
        failed += 1
        print("not ok python %s: %s" % (name, " ".join(repr(error).split())), flush=True)
sys.exit(failed > 0)
