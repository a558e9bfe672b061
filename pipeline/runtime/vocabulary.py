"""The engine's own reading of a vocabulary: which tokens end an answer, what it adds, how it splits texts.

llama.cpp corrects, guesses and drops as it loads a vocabulary, so what the file says is not yet what holds. Asked in a
child process with bounds, since the file is not trusted and llama.cpp aborts on some.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import EngineError
from pipeline.core.proc import ending
from pipeline.core.scratch import scratch
from pipeline.gguf.header import Header
from pipeline.gguf.write import kept, write_gguf
from pipeline.runtime.build import HOW_TO_BUILD, bound_library, environment

CHILD = Path(__file__).with_name("_vocabulary.py")
MEMORY_BYTES = 2 << 30
CPU_SECONDS = 20
NO_LIBRARY = 3
"""The exit code of a child that could not load llama.cpp."""
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
    with scratch() as folder:
        path = folder / "vocabulary.gguf"
        write_gguf(path, kept(header, lambda key: not key.startswith("split.")))
        request = MEMORY_BYTES.to_bytes(8, "little") + cpu.to_bytes(8, "little")
        request += b"".join(_sent(text, add) for text, add in ((str(path), False), *texts))
        child = _READY.take(library)
        try:
            stdout, stderr = child.communicate(request, WALL_SECONDS)
        except BaseException as error:
            _end(child)
            if isinstance(error, subprocess.TimeoutExpired):
                return Refusal(f"not done after {WALL_SECONDS:.0f} s", ())
            raise
    log = _log(stderr, path)
    if child.returncode == NO_LIBRARY:
        raise EngineError(f"llama.cpp's library can't be loaded: {log[-1] if log else library}", hint=HOW_TO_BUILD)
    if child.returncode:
        return Refusal(ending(child.returncode), log)
    said = json.loads(stdout)
    if said is None:
        return Refusal("", log)
    tokens = tuple(None if found is None else tuple(found) for found in said.pop("tokens"))
    return Reading(ends=frozenset(said.pop("ends")), tokens=tokens, log=log, **said)


def warm() -> None:
    """Start the process that will read the next vocabulary, as starting takes longer than reading a small one; this returns
    at once.
    """
    if (library := bound_library()) is not None:
        _READY.fill(library)


class _Ready:
    """At most one process that has loaded the library and waits for a vocabulary."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, subprocess.Popen[bytes]]] = deque()

    def fill(self, library: Path) -> None:
        if not self._waiting:
            self._waiting.append((os.getpid(), _start(library)))

    def take(self, library: Path) -> subprocess.Popen[bytes]:
        with suppress(IndexError):
            owner, child = self._waiting.pop()
            if owner == os.getpid() and child.poll() is None:  # one of a process that forked us is not ours
                return child
        return _start(library)

    def empty(self) -> None:
        with suppress(IndexError):
            owner, child = self._waiting.pop()
            if owner == os.getpid():
                _end(child)


_READY = _Ready()
atexit.register(_READY.empty)


def _start(library: Path) -> subprocess.Popen[bytes]:
    argv, pipe = [sys.executable, "-I", "-S", str(CHILD), str(library)], subprocess.PIPE
    return subprocess.Popen(
        argv, stdin=pipe, stdout=pipe, stderr=pipe, env=environment(library), start_new_session=True
    )


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.communicate()


def _sent(text: str, add: bool) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    return bytes([add]) + len(data).to_bytes(4, "little") + data


def _log(stderr: bytes, path: Path) -> tuple[str, ...]:
    """Return what the engine said, without the file that it was given in place of the user's."""
    lines = stderr.decode("utf-8", "replace").replace(f"'{path}'", "the file").replace(str(path), "the file")
    return tuple(line.strip() for line in lines.splitlines() if line.strip())
