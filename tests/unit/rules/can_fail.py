"""can_fail.py NM CC...: plants each kind of violation and sees that includes.py and purity.py find it."""
import os
import subprocess
import sys
import tempfile

import includes
import purity
import table

RULES = table.read(os.path.join(includes.HERE, "rules.table"))
INCLUDES = [  # file, its include, is it a violation
    ("daemon/tcp/a.c", '"wire/seq.h"', False),
    ("daemon/wire/a.c", '"tcp/tcp.h"', True),
    ("daemon/tcp/a.c", '"base/loop.h"', True),
    ("daemon/net/a.c", '"tcp/tcb.h"', True),
    ("daemon/host/a.c", '"tcp/tcp.h"', False),
    ("daemon/host/a.c", '"tcp/tcb.h"', True),
    ("daemon/host/a.c", '"wire/seq.h"', False),
    ("daemon/host/a.c", '"wire/ipv4.h"', True),
    ("daemon/rpc/a.c", '"ackd/v1/tcp.pb-c.h"', False),
    ("daemon/host/a.c", '"ackd/v1/tcp.pb-c.h"', True),
    ("daemon/sockets/a.c", "<nghttp2/nghttp2.h>", True),
    ("daemon/rpc/a.c", "<event2/event.h>", True),
    ("daemon/tcp/a.c", "<time.h>", True),
    ("daemon/tcp/a.c", "<string.h>", False),
    ("daemon/tcp/a.c", '"nowhere.h"', True),
    ("daemon/main.c", '"host/loop.h"', False),
    ("client/lib/a.c", '"tcp/tcp.h"', True),
    ("client/ackctl/a.c", '"client/lib/conn.h"', True),
]
HEADERS = ["base/loop.h", "wire/seq.h", "wire/ipv4.h", "tcp/tcp.h", "tcp/tcb.h", "host/loop.h"]
CODE = [  # C, is it a violation
    ("int f(int x); int f(int x) { return x + 1; }", False),
    ("int f(void); int f(void) { static int n; return n++; }", True),
    ("extern int g; int g = 7;", True),
    ("extern const char *const names[1]; const char *const names[1] = {\"a\"};", False),
    ("extern const char *names[1]; const char *names[1] = {\"a\"};", True),
    ("long time(long *); long f(void); long f(void) { return time(0); }", True),
    ("int *__errno_location(void); int f(void); int f(void) { return *__errno_location(); }", True),
]


def planted_include(folder, source, header):
    for h in ["daemon/" + h for h in HEADERS] + ["client/lib/conn.h", source]:
        os.makedirs(os.path.join(folder, os.path.dirname(h)), exist_ok=True)
        open(os.path.join(folder, h), "w").close()
    with open(os.path.join(folder, source), "w", encoding="utf-8") as f:
        f.write(f"#include {header}\n")
    room = includes.room_of(source, RULES["rooms"])
    return includes.check_file(folder, source, room, RULES)


def planted_code(nm, cc, folder, code):
    source, out = os.path.join(folder, "a.c"), os.path.join(folder, "a.o")
    with open(source, "w", encoding="utf-8") as f:
        f.write(code + "\n")
    subprocess.run([*cc, "-fPIC", "-w", "-c", "-o", out, source], check=True)
    rows = purity.symbols(nm, out)
    return purity.check(rows, purity.defined_names(rows), RULES)


def main(nm, cc):
    results = []
    for source, header, wrong in INCLUDES:
        with tempfile.TemporaryDirectory() as folder:
            found = planted_include(folder, source, header)
        fault = [] if bool(found) == wrong else [f"found {found}, expected {'one' if wrong else 'none'}"]
        results.append((f"{source} with {header}", fault))
    for code, wrong in CODE:
        with tempfile.TemporaryDirectory() as folder:
            found = planted_code(nm, cc, folder, code)
        fault = [] if bool(found) == wrong else [f"found {found}, expected {'one' if wrong else 'none'}"]
        results.append((code, fault))
    return table.report(results)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
