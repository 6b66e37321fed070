#!/usr/bin/env python3
"""meson_results.py BUILD SUITE: runs what meson knows under SUITE and prints one line a test case.

A program that speaks cmocka counts once for each of its cases, any other once by its exit status. A program whose cases all passed
but which ended badly (a sanitizer's report, a crash at exit) is one failed case more."""
import json
import os
import re
import subprocess
import sys

CASE = re.compile(r"^\[\s*(OK|FAILED|SKIPPED)\s*\] (?!\d+ test\(s\))(.+)$", re.M)


def listed(build, suite):
    out = subprocess.run(["meson", "test", "-C", build, "--list", "--no-rebuild", "--suite", suite],
                         capture_output=True, text=True)
    return out.returncode == 0 and any(suite in line for line in out.stdout.splitlines() if "tests defined" not in line)


def cases(result):
    """(verdict, case) of each cmocka case; the summary names failed cases a second time."""
    seen = {}
    text = (result.get("stdout") or "") + "\n" + (result.get("stderr") or "")
    for verdict, case in CASE.findall(text):
        seen.setdefault(case, verdict)
        if verdict == "FAILED":
            seen[case] = verdict
    return seen


def report(result):
    name = result["name"].split(" / ")[-1]
    seen = cases(result)
    failed = False
    for case, verdict in seen.items():
        if verdict == "OK":
            print(f"ok {name}: {case}")
        elif verdict == "SKIPPED":
            print(f"SKIP {name} {case}: the test found no ground for itself here")
        else:
            failed = True
            print(f"not ok {name}: {case}")
    good = result["result"] in ("OK", "EXPECTEDFAIL")
    if result["result"] == "SKIP":
        print(f"SKIP {name}: the test said so")
    elif not seen or (not good and not failed):
        print(f"{'ok' if good else 'not ok'} {name}" + ("" if good else f": {result['result']}"))
    if not good:
        for stream in ("stdout", "stderr"):
            for line in (result.get(stream) or "").splitlines()[-40:]:
                print(f"  | {line}")


def main():
    build, suite = sys.argv[1:]
    if not listed(build, suite):
        return 0
    log = os.path.join(build, "meson-logs", f"testlog-{suite}.json")
    run = subprocess.run(["meson", "test", "-C", build, "--no-rebuild", "--suite", suite, "--num-processes", "2",
                          "--timeout-multiplier", "4", "--logbase", f"testlog-{suite}"],
                         stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    with open(log, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            report(json.loads(line))
    return run.returncode


sys.exit(main())
