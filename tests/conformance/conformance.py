"""The ledger of RFC 9293's labels: checks it, and makes what is made of it.

conformance.py check            every label has a row, every row its reason, its test, and a mutation that applies
conformance.py text             the table, for a terminal
conformance.py doc [--update]   docs/conformance.md: says whether it is out of date, or writes it
conformance.py c                the table of `ackctl conformance`
conformance.py mutate [ID...]   in a copy of the tree: with the row's mutation its test must fail
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
LEDGER = ROOT / "tests/conformance/ledger.toml"
DOC = ROOT / "docs/conformance.md"
VERDICTS = ["met", "met by option", "met by device", "deviated", "not applicable"]
LABELS = (
    [f"MUST-{n}" for n in range(1, 70)]
    + [f"SHLD-{n}" for n in range(1, 32)]
    + [f"MAY-{n}" for n in range(1, 19)]
    + ["REC-1"]
    + [f"U-{n}" for n in range(1, 10)]
)


def rows():
    return tomllib.loads(LEDGER.read_text())["row"]


def in_order():
    place = {label: n for n, label in enumerate(LABELS)}
    return sorted(rows(), key=lambda row: place.get(row["id"], len(LABELS)))


# ---- check


def names(label, text):
    return re.search(rf"(?<![A-Z0-9-]){re.escape(label)}(?![0-9])", text) is not None


def script_text(text, name):
    """A script with its comments; None when there is none of that name."""
    found = re.search(rf"^== {re.escape(name)}$.*?(?=^== |\Z)", text, re.M | re.S)
    return found.group(0) if found else None


def function_text(text, name):
    """A test function that is run, with the comment before it and all behind it up to its end."""
    found = re.search(rf"((?:^/\*.*?\*/\n)?)^static void {name}\(.*?^}}", text, re.M | re.S)
    if not found or f"cmocka_unit_test({name})" not in text:
        return None
    comment = re.search(rf"(^/\*(?:(?!\*/).)*\*/\n)static void {name}\(", text, re.M | re.S)
    body = re.search(rf"^static void {name}\(.*?^}}", text, re.M | re.S)
    return (comment.group(1) if comment else "") + body.group(0)


def check_test(row):
    path, _, name = row["test"].partition(":")
    file = ROOT / path
    if not file.is_file():
        return f"its test's file {path} does not exist"
    find = script_text if path.endswith(".script") else function_text
    text = find(file.read_text(), name)
    if text is None:
        return f"its test {name} does not exist in {path}"
    if not names(row["id"], text):
        return f"its test {name} does not name it"
    return None


def place(row, text):
    """Where the mutation's old text is: white space may differ, as the format has it."""
    words = row["old"].split()
    pattern = r"\s+".join(re.escape(word) for word in words)
    return list(re.finditer(pattern, text)) if words else []


def check_mutation(row):
    file = ROOT / row["file"]
    if not file.is_file():
        return f"the file of its mutation, {row['file']}, does not exist"
    count = len(place(row, file.read_text()))
    if count != 1:
        return f"the text of its mutation is in {row['file']} {count} times"
    if row["old"] == row["new"]:
        return "its mutation changes nothing"
    return None


def check_row(row):
    lacking = {"id", "section", "says", "verdict"} - set(row)
    if lacking:
        return f"it lacks {', '.join(sorted(lacking))}"
    if row["verdict"] not in VERDICTS:
        return f"there is no verdict '{row['verdict']}'"
    if row["verdict"] != "met" and not row.get("why"):
        return "its verdict has no reason"
    holds = row["verdict"].startswith("met")
    if holds and not ("test" in row and "file" in row):
        return "it is met, and has no test or no mutation"
    return ("test" in row and check_test(row)) or ("file" in row and check_mutation(row)) or None


def check():
    bad = []
    ids = [row.get("id", "?") for row in rows()]
    bad += [f"{label}: it has no row" for label in LABELS if label not in ids]
    bad += [f"{label}: it is no label" for label in ids if label not in LABELS]
    bad += [f"{label}: it has several rows" for label in sorted(set(ids)) if ids.count(label) > 1]
    for row in rows():
        problem = check_row(row)
        if problem:
            bad.append(f"{row.get('id', '?')}: {problem}")
    for line in bad:
        print(line)
    print(f"{len(ids)} rows, {len(bad)} problems")
    return not bad


# ---- tables


def text():
    for row in in_order():
        print(f"{row['id']:8} {row['section']:10} {row['verdict']:15} {row['says']}")
    counts = [(v, sum(row["verdict"] == v for row in rows())) for v in VERDICTS]
    print(", ".join(f"{n} {v}" for v, n in counts if n))
    return True


def document():
    out = [
        "# RFC 9293, label by label",
        "",
        "Made from `tests/conformance/ledger.toml` by `tests/conformance/conformance.py doc --update`; `ackctl conformance` prints the same.",
        "MUST, SHLD, MAY and REC are the labels of the RFC's appendix B; U-1 to U-9 are this project's names for requirements that the RFC",
        "states without a label. For each row that is met there is a mutation of one line under which its test fails:",
        "`./dev conformance --mutate [ID…]` tries them in a copy of the tree.",
        "",
    ]
    for verdict in VERDICTS:
        out.append(f"- {verdict}: {sum(row['verdict'] == verdict for row in rows())}")
    out += ["", "| label | section | what | verdict | shown by |", "|---|---|---|---|---|"]
    for row in in_order():
        verdict = row["verdict"] + (f": {row['why']}" if row.get("why") else "")
        test = row.get("test", "").partition(":")
        shown = f"[{test[2]}](../{test[0]})" if test[0] else ""
        cells = [row["id"], row["section"], row["says"], verdict, shown]
        out.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(out) + "\n"


def doc(update):
    if update:
        DOC.write_text(document())
        return True
    if DOC.is_file() and DOC.read_text() == document():
        return True
    print("docs/conformance.md is out of date: python3 tests/conformance/conformance.py doc --update")
    return False


def quoted(value):
    return json.dumps(value)  # ASCII with escapes: a C string too, since all our text is in ASCII


def c_table():
    print("/* Made from tests/conformance/ledger.toml. */")
    for row in in_order():
        fields = [row["id"], row["section"], row["verdict"], row["says"], row.get("why", ""), row.get("test", "")]
        print("{" + ", ".join(quoted(field) for field in fields) + "},")
    return True


# ---- mutations


def copy_tree(to):
    """The tree as it is, with what is not committed."""
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    wanted = {name for name in files.split("\0") if name and (ROOT / name).is_file()}
    for name in sorted(wanted):
        source, target = ROOT / name, to / name
        if target.is_file() and target.read_bytes() == source.read_bytes():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        shutil.copymode(source, target)
    for old in to.rglob("*"):
        if old.is_file() and str(old.relative_to(to)) not in wanted:
            old.unlink()


def programs(build, tree):
    """Which program has a test file: {"tests/unit/tcp/test_isn.c": "path/of/target"}."""
    targets = json.loads(subprocess.run(["meson", "introspect", "--targets", str(build)], capture_output=True, check=True).stdout)
    found = {}
    for target in targets:
        if target["type"] == "executable" and "/tests/" in target["filename"][0]:
            for group in target["target_sources"]:
                for source in group.get("sources", []):
                    name = os.path.relpath(source, tree)
                    found.setdefault(name, os.path.relpath(target["filename"][0], build))
    return found


def build_target(build, target):
    done = subprocess.run(["ninja", "-j2", "-C", str(build), target], capture_output=True, text=True)
    return done.returncode == 0, done.stdout[-2000:]


def fails(build, tree, program, test):
    """Does the test fail? A crash while it runs, or no end, is a failure of it."""
    path, _, name = test.partition(":")
    command = [str(build / program)]
    if path.endswith(".script"):
        command += sorted(str(file) for file in (tree / path).parent.glob("*.script"))
    environment = dict(os.environ, ACKD_TEST=name)
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=60, env=environment, cwd=build
        )
    except subprocess.TimeoutExpired:
        return True
    output = done.stdout + done.stderr
    if f"[  FAILED  ] {name}\n" in output:
        return True
    started = re.findall(r"\[ RUN +\] (.*)", output)
    return done.returncode < 0 and bool(started) and started[-1] == name


def mutate_row(row, build, tree, program):
    built, log = build_target(build, program)
    if not built:
        return "without the mutation it does not build:\n" + log
    if fails(build, tree, program, row["test"]):
        return "the test fails without the mutation"
    file = tree / row["file"]
    text_before = file.read_text()
    found = place(row, text_before)
    if len(found) != 1:
        return "the mutation does not apply"
    file.write_text(text_before[: found[0].start()] + row["new"] + text_before[found[0].end() :])
    try:
        built, log = build_target(build, program)
        if not built:
            return "the mutation does not build:\n" + log
        return None if fails(build, tree, program, row["test"]) else "the test does not notice the mutation"
    finally:
        file.write_text(text_before)


def mutate(wanted):
    tree = pathlib.Path(os.environ.get("ACKD_BUILD", ROOT / "build")) / "conformance"
    build = tree / "build"
    copy_tree(tree)
    if not (build / "build.ninja").is_file():
        subprocess.run(["meson", "setup", str(build), str(tree), "-Dwerror=false"], check=True, stdout=subprocess.DEVNULL)
    elif not build_target(build, "build.ninja")[0]:
        print("the build files of the copy cannot be made again")
        return False
    runner = programs(build, tree)
    passed = failed = 0
    for row in in_order():
        if "file" not in row or (wanted and row["id"] not in wanted):
            continue
        path = row["test"].partition(":")[0]
        program = runner.get("tests/scripts/run.c" if path.endswith(".script") else path)
        problem = mutate_row(row, build, tree, program) if program else "no program has its test"
        passed, failed = passed + (problem is None), failed + (problem is not None)
        print(f"{'ok' if problem is None else 'not ok'} {row['id']} {row['test']}" + (f": {problem}" if problem else ""), flush=True)
    print(f"{passed} passed, {failed} failed")
    return failed == 0


def main():
    command, rest = (sys.argv[1:2] or ["text"])[0], sys.argv[2:]
    actions = {
        "check": check,
        "text": text,
        "doc": lambda: doc("--update" in rest),
        "c": c_table,
        "mutate": lambda: mutate(set(rest)),
    }
    if command not in actions:
        sys.exit(__doc__)
    sys.exit(0 if actions[command]() else 1)


main()
