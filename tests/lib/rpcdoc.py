#!/usr/bin/env python3
"""rpcdoc.py PROTO-DIR REFERENCE [--update]: docs/rpc.md from the .proto files: each RPC with its role, each message and enum with its
fields, types and comments. Fails when an RPC, a field or an enum value has no comment (on the line before it, or before the oneof that
holds it alone), and when REFERENCE is not what the files say now; --update writes it."""
import difflib
import pathlib
import re
import sys

FILES = ["tcp", "inspect", "daemon", "lab", "types", "roles"]
FIELD = re.compile(r"(repeated )?([\w.]+) (\w+) = (\d+);")
VALUE = re.compile(r"([A-Z][A-Z0-9_]*) = (\d+);")
RPC = re.compile(r"rpc (\w+)\((stream )?(\w+)\) returns \((stream )?(\w+)\)")


class Block:
    def __init__(self, kind, name, doc):
        self.kind, self.name, self.doc, self.rows = kind, name, doc, []


def parse(path):
    """The file's own comment, and its services, messages and enums in order; inner ones behind the outer one."""
    blocks, open_blocks, doc, head, missing = [], [], [], None, []
    oneof_doc = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text = line.strip()
        if text.startswith("//"):
            doc.append(text[2:].strip())
            continue
        if text.startswith("syntax"):
            head, doc = doc, []
            continue
        comment, doc = " ".join(doc), []
        start = re.match(r"(message|enum|service|extend) ([\w.]+) \{(\})?", text)
        if start:
            outer = open_blocks[-1].name + "." if open_blocks else ""
            block = Block(start[1], outer + start[2], comment)
            blocks.append(block)
            if not start[3]:
                open_blocks.append(block)
            continue
        inner = re.match(r"oneof \w+ \{ ?(.*)", text)
        if inner:
            text = inner[1]
            if not text:
                oneof_doc, alone = comment, Block("oneof", open_blocks[-1].name, "")
                alone.rows = open_blocks[-1].rows
                open_blocks.append(alone)
                continue
        if text == "}":
            closed = open_blocks.pop()
            if closed.kind == "oneof":
                oneof_doc = None
            continue
        rpc, field, value = RPC.match(text), FIELD.match(text), VALUE.match(text)
        if rpc:
            row = {"name": rpc[1], "in": (rpc[2] or "") + rpc[3], "out": (rpc[4] or "") + rpc[5], "doc": comment, "role": ""}
            open_blocks[-1].rows.append(row)
            if text.endswith("{"):
                open_blocks.append(Block("rpc", "", ""))
            rpc_row = row
        elif open_blocks and open_blocks[-1].kind in ("message", "oneof", "extend") and field:
            comment = comment or oneof_doc or ""
            optional = bool(inner) or open_blocks[-1].kind == "oneof"
            open_blocks[-1].rows.append({"number": field[4], "name": field[3], "type": (field[1] or "") + field[2],
                                         "optional": optional, "doc": comment})
        elif open_blocks and open_blocks[-1].kind == "enum" and value:
            if value[2] == "0" and value[1].endswith("_UNSPECIFIED"):
                continue
            open_blocks[-1].rows.append({"number": value[2], "name": value[1], "doc": comment})
        role = re.search(r"option \(role\) = ROLE_(\w+)", text)
        if role:
            rpc_row["role"] = role[1].lower()
            continue
        if (rpc or field or value) and not comment:
            missing.append(f"{path.name}:{number}: no comment on {(rpc or field or value)[0]}")
    return head or [], blocks, missing


def cell(text):
    return text.replace("|", "\\|").replace("<", "&lt;")


def print_block(out, b):
    if b.kind == "service":
        out += [f"## {b.name}", ""]
        out += ["| RPC | request | answer | role | |", "|---|---|---|---|---|"]
        out += [f"| {r['name']} | {r['in']} | {r['out']} | {r['role']} | {cell(r['doc'])} |" for r in b.rows]
        out.append("")
        return
    out += [f"### {b.name}", ""]
    if b.doc:
        out += [cell(b.doc), ""]
    if b.kind == "enum":
        out += ["| value | | |", "|---|---|---|"]
        out += [f"| {r['number']} | {r['name']} | {cell(r['doc'])} |" for r in b.rows]
    elif b.rows:
        out += ["| field | | type | |", "|---|---|---|---|"]
        out += [f"| {r['number']} | {r['name']} | {r['type']}{', may be absent' if r['optional'] else ''} | {cell(r['doc'])} |" for r in b.rows]
    else:
        out.append("Empty.")
    out.append("")


def reference(folder):
    out = ["# The RPCs of ackd", "", "<!-- Made from proto/ackd/v1 by tests/lib/rpcdoc.py proto/ackd/v1 docs/rpc.md --update -->", ""]
    missing = []
    for name in FILES:
        head, blocks, lacking = parse(folder / f"{name}.proto")
        missing += lacking
        if not any(b.kind == "service" for b in blocks):
            out += [f"## {name}.proto", ""]
        paragraphs = "\n".join(head).split("\n\n")
        top = [b for b in blocks if b.kind == "service"]
        for b in top:
            print_block(out, b)
        out += [cell(p.replace("\n", " ")) + "\n" for p in paragraphs]
        for b in blocks:
            if b.kind not in ("service", "extend"):
                print_block(out, b)
    return "\n".join(out).rstrip() + "\n", missing


def main():
    made, missing = reference(pathlib.Path(sys.argv[1]))
    path = pathlib.Path(sys.argv[2])
    print("\n".join(missing))
    if sys.argv[3:] == ["--update"]:
        path.write_text(made, encoding="utf-8")
        return 1 if missing else 0
    kept = path.read_text(encoding="utf-8") if path.exists() else ""
    for line in difflib.unified_diff(kept.splitlines(), made.splitlines(), str(path), "now", lineterm="", n=0):
        print(line)
    if kept != made:
        print("the reference is not what the .proto files say: tests/lib/rpcdoc.py proto/ackd/v1 docs/rpc.md --update")
    return 1 if missing or kept != made else 0


sys.exit(main())
