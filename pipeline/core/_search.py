"""Runs as ``python -I -S _search.py SECONDS MEMORY``: a pattern and a text as JSON a line on stdin, whether it is found as
JSON a line on stdout. A search that takes more CPU time ends the process, by the kernel's clock. It imports nothing of
this package.
"""

import json
import re
import resource
import signal
import sys


def main() -> None:
    """Search until there is nothing more to search."""
    seconds, memory = float(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    for line in sys.stdin:
        pattern, text = json.loads(line)
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
        found = re.search(pattern, text) is not None
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
