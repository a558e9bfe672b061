"""llama.cpp's own tool for perplexity and KL divergence."""

from __future__ import annotations

import re
import subprocess

from pipeline.runtime.build import EngineBuild

TRIES = 5


def llama_perplexity(engine: EngineBuild, last: bytes, *arguments: object) -> bytes:
    """Return what it writes, up to ``last``, a pattern. A thread of its own writes for it, and sometimes the tool ends
    before that has written all: then it is asked again.
    """
    argv = [str(engine.tool("llama-perplexity")), *map(str, arguments)]
    for _ in range(TRIES):
        done = subprocess.run(argv, capture_output=True, check=True, env=engine.environment)
        said = done.stdout + done.stderr
        if re.search(last, said):
            return said
    raise AssertionError(said[-3000:])
