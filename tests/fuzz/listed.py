"""listed.py ROOT: every source file that reads what a peer sends is in a line of `targets`, and what is there exists."""
import os
import sys

ROOMS = ("daemon/wire", "daemon/tcp", "daemon/net")

root = sys.argv[1]
with open(os.path.join(root, "tests", "fuzz", "targets"), encoding="utf-8") as f:
    listed = {path for line in f if line.strip() and not line.startswith("#") for path in line.split()[1:]}
there = {os.path.relpath(os.path.join(folder, file), root)
         for room in ROOMS for folder, _, files in os.walk(os.path.join(root, room)) for file in files if file.endswith(".c")}
missing = sorted(there - listed)
gone = sorted(path for path in listed if not os.path.exists(os.path.join(root, path)))
for path in missing:
    print(f"{path}: no target is for it")
for path in gone:
    print(f"{path}: is not there")
sys.exit(1 if missing or gone else 0)
