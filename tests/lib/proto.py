#!/usr/bin/env python3
"""proto.py DESCRIPTOR-SET GOLDEN [--update]: the .proto files may grow, but what a client was built against stays: each message's fields
(number, name, type), each enum's values, each method's types. GOLDEN has one line for each; a line that is gone or changed is an
offence, a new one is shown and taken over by --update. Reads descriptor.proto's messages by hand, so it needs no library."""
import sys

TYPES = {1: "double", 2: "float", 3: "int64", 4: "uint64", 5: "int32", 6: "fixed64", 7: "fixed32", 8: "bool", 9: "string", 10: "group",
         11: "message", 12: "bytes", 13: "uint32", 14: "enum", 15: "sfixed32", 16: "sfixed64", 17: "sint32", 18: "sint64"}


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def fields(data):
    """{number: [value…]} of a message; a value is an int or bytes."""
    out, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 2:
            length, at = varint(data, at)
            value, at = data[at:at + length], at + length
        else:
            size = 8 if key & 7 == 1 else 4
            value, at = data[at:at + size], at + size
        out.setdefault(key >> 3, []).append(value)
    return out


def text(message, number):
    return message.get(number, [b""])[0].decode()


def enum_lines(scope, data):
    e = fields(data)
    name = f"{scope}.{text(e, 1)}"
    for value in map(fields, e.get(2, [])):
        yield f"enum {name} {value.get(2, [0])[0]} {text(value, 1)}"


def message_lines(scope, data):
    m = fields(data)
    name = f"{scope}.{text(m, 1)}"
    oneofs = [text(fields(o), 1) for o in m.get(8, [])]
    for f in map(fields, m.get(2, [])):
        kind = text(f, 6).lstrip(".") or TYPES[f[5][0]]
        label = "repeated " if f.get(4, [1])[0] == 3 else ""
        oneof = f" oneof {oneofs[f[9][0]]}" if 9 in f else ""
        yield f"message {name} {f[3][0]} {text(f, 1)} {label}{kind}{oneof}"
    for inner in m.get(3, []):
        yield from message_lines(name, inner)
    for inner in m.get(4, []):
        yield from enum_lines(name, inner)


def service_lines(package, data):
    s = fields(data)
    for method in map(fields, s.get(2, [])):
        streams = [" stream" if method.get(n, [0])[0] else "" for n in (5, 6)]
        yield (f"rpc {package}.{text(s, 1)}.{text(method, 1)}{streams[0]} {text(method, 2).lstrip('.')} ->"
               f"{streams[1]} {text(method, 3).lstrip('.')}")


def all_lines(path):
    with open(path, "rb") as f:
        files = [fields(d) for d in fields(f.read()).get(1, [])]
    for file in files:
        package = text(file, 2)
        if not package.startswith("ackd."):
            continue
        for m in file.get(4, []):
            yield from message_lines(package, m)
        for e in file.get(5, []):
            yield from enum_lines(package, e)
        for s in file.get(6, []):
            yield from service_lines(package, s)


def main():
    now = sorted(all_lines(sys.argv[1]))
    if sys.argv[3:] == ["--update"]:
        with open(sys.argv[2], "w", encoding="utf-8") as f:
            f.write("".join(line + "\n" for line in now))
        return 0
    with open(sys.argv[2], encoding="utf-8") as f:
        golden = f.read().splitlines()
    gone = [line for line in golden if line not in set(now)]
    for line in gone:
        print(f"gone or changed: {line}")
    new = [line for line in now if line not in set(golden)]
    for line in new:
        print(f"new, not in the golden file yet (proto.py DESCRIPTOR-SET GOLDEN --update): {line}")
    return 1 if gone or new or not golden else 0


sys.exit(main())
