"""What the engine makes of a header: llama.cpp's own ``gguf_init_from_buffer``, in a fork for each, as it may abort.

``python engine.py LIBRARY`` reads buffers from stdin, each with its length before it (8 bytes), and answers a byte each.
"""

from __future__ import annotations

import ctypes
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

READ, REFUSED, ABORTED = b"\1", b"\0", b"\2"


class Parameters(ctypes.Structure):
    """``struct gguf_init_params``."""

    _fields_ = [("no_alloc", ctypes.c_bool), ("ctx", ctypes.c_void_p)]


class Engine:
    """A process that has the engine's library loaded."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def reads(self, content: bytes) -> bool:
        """Say whether the engine takes this for a sound header."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(struct.pack("<Q", len(content)) + content)
        self.process.stdin.flush()
        answer = self.process.stdout.read(1)
        assert answer in (READ, REFUSED, ABORTED)
        return answer == READ


@contextmanager
def engine() -> Iterator[Engine]:
    """Start the process, and end it."""
    import llama_cpp

    names = ("libggml-base.so", "libggml-base.dylib")
    library = next(path for name in names if (path := Path(llama_cpp.__file__).parent / "lib" / name).exists())
    argv = [sys.executable, __file__, str(library)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        yield Engine(process)
        assert process.stdin
        process.stdin.close()


def serve(library: str) -> None:
    """Answer until stdin ends."""
    read = ctypes.CDLL(library).gguf_init_from_buffer
    read.argtypes, read.restype = (ctypes.c_char_p, ctypes.c_size_t, Parameters), ctypes.c_void_p
    stdin = sys.stdin.buffer
    while head := stdin.read(8):
        content = stdin.read(*struct.unpack("<Q", head))
        pid = os.fork()
        if pid == 0:
            os._exit(0 if read(content, len(content), Parameters(True, None)) else 1)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.write(1, {0: READ, 1: REFUSED}.get(code, ABORTED))


if __name__ == "__main__":
    serve(sys.argv[1])
