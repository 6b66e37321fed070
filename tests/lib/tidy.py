#!/usr/bin/env python3
"""tidy.py BUILD shallow|deep < FILES: clang-tidy on the files that the compilation database knows, two at a time. The analyzer follows paths
through calls when deep, which takes eight times as long.

A file that was found clean is not looked at again until it, a header of the tree or .clang-tidy changes (BUILD/tidy remembers)."""
import concurrent.futures
import hashlib
import json
import os
import subprocess
import sys


def digest(paths):
    h = hashlib.sha256()
    for path in sorted(paths):
        with open(path, "rb") as f:
            h.update(path.encode() + b"\0" + f.read() + b"\0")
    return h


def known(build):
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as f:
        return {os.path.realpath(os.path.join(c["directory"], c["file"])) for c in json.load(f)}


# gcc's flags that clang does not know are no finding.
EXTRA = ["-Wno-unknown-warning-option", "-Xclang", "-analyzer-config", "-Xclang"]


def check(build, path, common, version, mode):
    h = common.copy()
    with open(path, "rb") as f:
        h.update(version + mode.encode() + path.encode() + f.read())
    stamp = os.path.join(build, "tidy", h.hexdigest())
    if os.path.exists(stamp):
        return ""
    extra = ["--extra-arg=" + word for word in [*EXTRA, "mode=" + mode]]
    run = subprocess.run(["clang-tidy", "--quiet", "-p", build, *extra, path], capture_output=True, text=True)
    if run.returncode == 0 and "warning:" not in run.stdout:
        open(stamp, "w", encoding="utf-8").close()
        return ""
    return run.stdout or run.stderr


def main():
    build, mode = sys.argv[1:]
    files = [line.strip() for line in sys.stdin]
    database = known(build)
    files = [f for f in files if os.path.realpath(f) in database]
    os.makedirs(os.path.join(build, "tidy"), exist_ok=True)
    headers = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", "*.h"],
                             capture_output=True, text=True, check=True).stdout.split()
    common = digest([h for h in headers if os.path.exists(h)] + [".clang-tidy"])
    version = subprocess.run(["clang-tidy", "--version"], capture_output=True, check=True).stdout
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for text in pool.map(lambda f: check(build, f, common, version, mode), files):
            if text:
                bad += 1
                print(text, end="" if text.endswith("\n") else "\n")
    return 1 if bad else 0


sys.exit(main())
