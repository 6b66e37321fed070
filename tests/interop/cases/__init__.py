"""All cases, in the order in which they run: from what everything stands on to what takes long."""
from harness import Case

from . import active, auth, bulk, closing, fast_open, idle, keepalive, parallel, pmtu, reach, refusal, services, window

ALL = [c for module in (reach, services, active, closing, window, keepalive, idle, parallel, pmtu, refusal, auth, fast_open, bulk)
       for c in vars(module).get("CASES", []) + [v for v in vars(module).values() if isinstance(v, Case)]]
