"""The engine's own reading of a vocabulary: which tokens end an answer, what it adds, how it splits texts.

llama.cpp corrects, guesses and drops as it loads a vocabulary, so what the file says is not yet what holds. Asked in a
child process with bounds, since the file is not trusted and llama.cpp aborts on some.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import EngineError
from pipeline.core.proc import ending
from pipeline.gguf.header import Header
from pipeline.gguf.write import kept, write_gguf
from pipeline.runtime.build import HOW_TO_BUILD, bound_library, environment

CHILD = Path(__file__).with_name("_vocabulary.py")
MEMORY_BYTES = 2 << 30
CPU_SECONDS = 20
WALL_SECONDS = 60.0


@dataclass(frozen=True)
class Reading:
    """A vocabulary as the engine has it: ``ends`` are the ids that end an answer, ``tokens`` those of the texts that were
    given, in order, special ones read as such (None: the engine can't express the text). ``log`` holds its warnings.
    """

    size: int
    ends: frozenset[int]
    bos: int | None
    eos: int | None
    eot: int | None
    pad: int | None
    add_bos: bool
    add_eos: bool
    tokens: tuple[tuple[int, ...] | None, ...]
    log: tuple[str, ...]


@dataclass(frozen=True)
class Refusal:
    """The engine did not take the vocabulary. ``ending`` says in words how its process ended, "" when it refused the file
    in good order; ``log`` holds its last words.
    """

    ending: str
    log: tuple[str, ...]


def read_vocabulary(
    header: Header, texts: Sequence[tuple[str, bool]] = (), *, cpu: int = CPU_SECONDS
) -> Reading | Refusal:
    """Let llama.cpp load the vocabulary of a header and split ``texts``, each with whether to add what the model adds (BOS,
    EOS). The weights are not needed. Raises EngineError when the bindings are missing.
    """
    library = bound_library()
    if library is None:
        raise EngineError("llama.cpp's library is not installed", hint=HOW_TO_BUILD)
    with tempfile.TemporaryDirectory(prefix="assay-") as folder:
        path = Path(folder) / "vocabulary.gguf"
        write_gguf(path, kept(header, lambda key: not key.startswith("split.")))
        argv = [sys.executable, "-I", "-S", str(CHILD), str(library), str(path), str(MEMORY_BYTES), str(cpu)]
        try:
            done = subprocess.run(
                argv,
                input=b"".join(_sent(text, add) for text, add in texts),
                capture_output=True,
                timeout=WALL_SECONDS,
                env=environment(library),
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Refusal(f"not done after {WALL_SECONDS:.0f} s", ())
    log = _log(done.stderr, path)
    if done.returncode:
        return Refusal(ending(done.returncode), log)
    said = json.loads(done.stdout)
    if said is None:
        return Refusal("", log)
    tokens = tuple(None if found is None else tuple(found) for found in said.pop("tokens"))
    return Reading(ends=frozenset(said.pop("ends")), tokens=tokens, log=log, **said)


def _sent(text: str, add: bool) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    return bytes([add]) + len(data).to_bytes(4, "little") + data


def _log(stderr: bytes, path: Path) -> tuple[str, ...]:
    """Return what the engine said, without the file that it was given in place of the user's."""
    lines = stderr.decode("utf-8", "replace").replace(f"'{path}'", "the file").replace(str(path), "the file")
    return tuple(line.strip() for line in lines.splitlines() if line.strip())
