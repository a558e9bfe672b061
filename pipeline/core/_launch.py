"""Runs as ``python -I -S _launch.py PARENT_PID KEEP_LC_CTYPE PROGRAM ARG…`` between a parent and its child; see
``proc``.

It binds the child's life to the parent's and then becomes the child, so that no code of ours has to run between fork
and exec in a process that may have threads. It imports nothing of this package.
"""

import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, keep_lc_ctype, *argv = sys.argv[1:]
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != int(parent):  # it died before the line above
            os._exit(128 + signal.SIGKILL)
    # Python ignores these at its start, and what is ignored stays so across exec.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    if keep_lc_ctype == "0":  # Python sets it in the C locale; the child's environment is the caller's alone.
        os.environ.pop("LC_CTYPE", None)
    try:
        os.execv(argv[0], argv)
    except OSError as error:
        print(f"cannot execute {argv[0]}: {error.strerror}", file=sys.stderr)
        sys.stderr.flush()
        os._exit(127)


if __name__ == "__main__":
    main()
