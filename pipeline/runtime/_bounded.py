"""Runs as ``python -I -S _bounded.py MEMORY CPU PROGRAM ARG…`` and becomes the program, which then has at most so many
bytes of address space and seconds of CPU time. It imports nothing of this package.
"""

import os
import resource
import sys
from contextlib import suppress

MOST_WRITTEN = 256 << 20


def main() -> None:
    memory, cpu, *argv = sys.argv[1:]
    bounds = (
        (resource.RLIMIT_AS, int(memory)),
        (resource.RLIMIT_CPU, int(cpu)),
        (resource.RLIMIT_FSIZE, MOST_WRITTEN),
        (resource.RLIMIT_CORE, 0),
    )
    for what, most in bounds:
        with suppress(ValueError, OSError):  # where the system can't, whoever started us still has a clock
            resource.setrlimit(what, (most, most))
    os.execv(argv[0], argv)


if __name__ == "__main__":
    main()
