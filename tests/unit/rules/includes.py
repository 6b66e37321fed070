"""includes.py ROOT: checks every #include below daemon/, client/ and proto/ against rules.table."""
import os
import re
import sys

import table

HERE = os.path.dirname(os.path.abspath(__file__))
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
SEARCH = ["", "daemon", "proto", "client", "client/lib"]  # where a quoted header may lie, from the root


def room_of(path, rooms):
    fits = [r for r in rooms if path == r or path.startswith(r + "/")]
    return max(fits, key=len, default=None)


def resolve(root, source, header, generated):
    """The path of a quoted header from the root, or None."""
    for pattern, place in generated.items():
        if table.matches(header, [pattern]):
            return f"{place[0]}/{header}"
    for folder in [os.path.dirname(source)] + SEARCH:
        path = os.path.normpath(os.path.join(folder, header))
        if os.path.isfile(os.path.join(root, path)):
            return path
    return None


def judge_own(source, room, target, rules):
    """What is wrong with including `target`, a header of ours, or None."""
    if room_of(target, rules["rooms"]) == room or table.matches(target, rules["rooms"][room]):
        return None
    return f"{room} must not include {target}"


def judge_foreign(room, header, rules):
    pure = rules["pure headers"].get(room)
    if pure is not None and not table.matches(header, pure):
        return f"{room} is pure: <{header}> is not on its list"
    for pattern, rooms in rules["libraries"].items():
        if table.matches(header, [pattern]) and room not in rooms:
            return f"<{header}> is known to {' '.join(rooms)} only"
    return None


def check_file(root, source, room, rules):
    violations = []
    with open(os.path.join(root, source), encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            found = INCLUDE.match(line)
            if not found:
                continue
            quote, header = found.groups()
            target = resolve(root, source, header, rules["generated"])
            if target is not None:
                wrong = judge_own(source, room, target, rules)
            elif quote == '"':
                wrong = f'"{header}" is found nowhere'
            else:
                wrong = judge_foreign(room, header, rules)
            if wrong:
                violations.append(f"{source}:{number}: {wrong}")
    return violations


def sources(root):
    for top in ("daemon", "client", "proto"):
        for folder, _, names in os.walk(os.path.join(root, top)):
            if "node_modules" in folder:
                continue
            for name in names:
                if name.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(folder, name), root)


def main(root):
    rules = table.read(os.path.join(HERE, "rules.table"))
    results = {room: [] for room in rules["rooms"]}
    for source in sorted(sources(root)):
        room = room_of(source, rules["rooms"])
        if room is None:
            results.setdefault("no room", []).append(f"{source}: no line of rules.table covers it")
        else:
            results[room] += check_file(root, source, room, rules)
    return table.report([(f"includes of {room}", wrong) for room, wrong in results.items()])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
