"""documented.py DOCS: every rule has its heading in docs/differential.md, and every heading of that kind its rule."""
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rules  # noqa: E402

with open(sys.argv[1], encoding="utf-8") as f:
    headings = set(re.findall(r"^### (.*)$", f.read(), re.M))
names = {rule.name for rule in rules.RULES}
for name in sorted(headings ^ names):
    print(f"{name}: {'no heading' if name in names else 'no rule'}")
sys.exit(1 if headings != names else 0)
