"""The script in a bundle: the very code that checks here, in one file that runs where there is only a Python."""

from __future__ import annotations

from importlib.resources import files

_HEAD = '''\
"""Check a bundle of models: every digest, every size, and that each lock has all that it names.

    python3 verify.py [FILE.tar | FILE.tar.001 | FOLDER]

Without an argument the folder that this script lies in is checked. It needs Python 3.8 and nothing else, writes nothing and opens no
socket. Exit codes: 0 all is as it was made, 1 something is damaged or missing, 2 there is nothing to check.
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

'''
_TAIL = """

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
"""
_MARK = "# What follows stands in the script verify.py too"


def script() -> bytes:
    """Return ``verify.py``."""
    sources = [
        files("pipeline.airgap").joinpath(f"{name}.py").read_text() for name in ("carried", "described", "checking")
    ]
    bodies = [source.partition(_MARK)[2].partition("\n")[2].strip("\n") for source in sources]
    return (_HEAD + "\n\n\n".join(bodies) + "\n" + _TAIL).encode()


README = b"""\
Models, each with its lock, its spec, the suites it is judged by, and results where there were any: an OCI image layout.

Check it, on any machine with Python 3.8 or later:   python3 verify.py FILE.tar   (or the first chunk, or the unpacked folder)
Take it into a project, after checking all of it:    assay import FILE.tar

verify.py can be taken out of the tar (tar -xf FILE.tar verify.py; of one in chunks: cat FILE.tar.0* | tar -xf - verify.py), but whoever
can change the bundle can change the script in it: take it from a bundle that you trust, and compare the digests of the locks, which it
prints, with those that you were told.
"""
