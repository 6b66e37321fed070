"""Reads rules.table: {section: {key: [patterns]}}, the groups (@name) put in their places."""
import fnmatch


def read(path):
    sections, section = {}, None
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            line = line.split("#", 1)[0].strip()
            if line.startswith("["):
                section = sections.setdefault(line.strip("[]"), {})
            elif line:
                key, colon, words = line.partition(":")
                if not colon or section is None:
                    raise SystemExit(f"{path}:{number}: neither [section] nor key: words")
                section[key.strip()] = words.split()
    groups = {k: v for s in sections.values() for k, v in s.items() if k.startswith("@")}
    for s in sections.values():
        for key, words in s.items():
            s[key] = [w for word in words for w in groups.get(word, [word])]
    return sections


def matches(name, patterns):
    """Does one of the patterns match, and none of those with "!"?"""
    yes = any(fnmatch.fnmatchcase(name, p) for p in patterns if p[0] != "!")
    return yes and not any(fnmatch.fnmatchcase(name, p[1:]) for p in patterns if p[0] == "!")


def report(results):
    """results: [(name, [violations])]. Prints them, and a last line as cmocka's; returns the exit code."""
    failed = 0
    for name, violations in results:
        print(f"[{'  FAILED  ' if violations else '       OK '}] {name}")
        for violation in violations:
            print("    " + violation)
        failed += bool(violations)
    print(f"[  PASSED  ] {len(results) - failed} test(s).")
    if failed:
        print(f"[  FAILED  ] {failed} test(s).")
    return 1 if failed else 0
