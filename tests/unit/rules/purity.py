"""purity.py NM ROOT BUILD: the libraries of the pure rooms call nothing outside and keep nothing writable, by rules.table."""
import glob
import os
import subprocess
import sys

import table

HERE = os.path.dirname(os.path.abspath(__file__))
ROOMS = ["base", "wire", "tcp", "net"]  # each stands on those before it
WRITABLE = (".data", ".bss", ".tdata", ".tbss", "*COM*")


def symbols(nm, archive):
    """[(object, name, class letter, section)] of an archive."""
    out = subprocess.run([nm, "-f", "sysv", archive], check=True, capture_output=True, text=True)
    rows, member = [], "?"
    for line in out.stdout.splitlines():
        fields = [f.strip() for f in line.split("|")]
        if len(fields) == 7:
            rows.append((member, fields[0], fields[2], fields[6]))
        elif " from " in line:
            member = os.path.basename(line.rstrip("]:"))
    return rows


def is_writable(section):
    return section.startswith(WRITABLE) and not section.startswith(".data.rel.ro")


def check(rows, defined, rules):
    allowed = [p for words in rules["pure symbols"].values() for p in words]
    not_ours = [p for words in rules["pure data"].values() for p in words]
    violations = []
    for member, name, letter, section in rows:
        if letter in "Uw" and name not in defined and not table.matches(name, allowed):
            violations.append(f"{member}: calls {name}, which rules.table does not allow")
        if is_writable(section) and not table.matches(name, not_ours):
            violations.append(f"{member}: {name} is writable data ({section})")
    return violations


def defined_names(rows):
    return {name for _, name, letter, _ in rows if letter not in "Uw"}


def main(nm, root, build):
    rules = table.read(os.path.join(HERE, "rules.table"))
    results, defined = [], set()
    for room in ROOMS:
        archive = os.path.join(build, "daemon", room, f"libackd-{room}.a")
        if not os.path.exists(archive):
            code = glob.glob(os.path.join(root, "daemon", room, "**", "*.c"), recursive=True)
            results.append((f"purity of {room}", [f"{archive} is not built"] if code else []))
            continue
        rows = symbols(nm, archive)
        defined |= defined_names(rows)
        results.append((f"purity of {room}", check(rows, defined, rules)))
    return table.report(results)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
