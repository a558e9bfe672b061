"""Reads a vocabulary with llama.cpp: ``python -I -S _vocabulary.py LIBRARY``, a request on stdin (``request``), JSON on stdout, what the
engine logs (warnings and worse) on stderr. The library is loaded before the request is there.

A process of its own, since llama.cpp aborts on some files. It talks to the library by itself and imports nothing that takes
time, neither this package nor the bindings nor ``json``: it would take longer than reading a small vocabulary.
"""

from __future__ import annotations

import ctypes
import resource
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO

WARNING, ERROR, CONTINUED = 3, 4, 5  # ggml_log_level
MOST_LOGGED = 1 << 18
"""Bytes of warnings: some are written for each token. Errors come after them, and have as much room again."""
NO_TOKEN = -1
NO_LIBRARY = 3  # the exit code that says so


class ModelParams(ctypes.Structure):
    """``llama_model_params`` of the pinned llama.cpp."""

    _fields_ = [
        ("devices", ctypes.c_void_p),
        ("tensor_buft_overrides", ctypes.c_void_p),
        ("n_gpu_layers", ctypes.c_int32),
        ("split_mode", ctypes.c_int),
        ("load_mode", ctypes.c_int),
        ("lazy_mode", ctypes.c_int),
        ("main_gpu", ctypes.c_int32),
        ("tensor_split", ctypes.c_void_p),
        ("progress_callback", ctypes.c_void_p),
        ("progress_callback_user_data", ctypes.c_void_p),
        ("kv_overrides", ctypes.c_void_p),
        ("vocab_only", ctypes.c_bool),
        ("check_tensors", ctypes.c_bool),
        ("use_extra_bufts", ctypes.c_bool),
        ("no_host", ctypes.c_bool),
        ("no_alloc", ctypes.c_bool),
        ("load_mtp", ctypes.c_bool),
    ]


LogCallback = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "llama_log_set": (None, [LogCallback, ctypes.c_void_p]),
    "llama_model_default_params": (ModelParams, []),
    "llama_model_load_from_file": (ctypes.c_void_p, [ctypes.c_char_p, ModelParams]),
    "llama_model_get_vocab": (ctypes.c_void_p, [ctypes.c_void_p]),
    "llama_vocab_n_tokens": (ctypes.c_int32, [ctypes.c_void_p]),
    "llama_vocab_is_eog": (ctypes.c_bool, [ctypes.c_void_p, ctypes.c_int32]),
    "llama_vocab_get_add_bos": (ctypes.c_bool, [ctypes.c_void_p]),
    "llama_vocab_get_add_eos": (ctypes.c_bool, [ctypes.c_void_p]),
    "llama_tokenize": (
        ctypes.c_int32,
        [
            *(ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int32),
            *(ctypes.POINTER(ctypes.c_int32), ctypes.c_int32, ctypes.c_bool, ctypes.c_bool),
        ],
    ),
    **{f"llama_vocab_{role}": (ctypes.c_int32, [ctypes.c_void_p]) for role in ("bos", "eos", "eot", "pad")},
}


class Log:
    """Writes the engine's warnings and errors to stderr at once: it may abort after any."""

    def __init__(self) -> None:
        self.level, self.size = 0, 0

    def __call__(self, level: int, text: bytes, _: Any) -> None:
        self.level = level if level != CONTINUED else self.level
        if self.level >= WARNING and self.size < (MOST_LOGGED if self.level < ERROR else 2 * MOST_LOGGED):
            self.size += len(text)
            sys.stderr.buffer.write(text[:MOST_LOGGED])
            sys.stderr.buffer.flush()


def load(path: str) -> Any:
    """Load llama.cpp and say what its functions take."""
    library = ctypes.CDLL(path)
    for name, (result, arguments) in FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def tokenize(library: Any, vocabulary: Any, text: str, add: bool) -> list[int] | None:
    """Return a text's tokens, special ones read as such, with what the model adds if ``add``; None if it has none."""
    data = text.encode("utf-8", "replace")
    size = len(data) + 16
    buffer = (ctypes.c_int32 * size)()
    count = library.llama_tokenize(vocabulary, data, len(data), buffer, size, add, True)
    return buffer[:count] if count >= 0 else None


def answer(library: Any, path: str, texts: list[tuple[str, bool]]) -> dict[str, Any] | None:
    """Return what the engine makes of a file's vocabulary and of texts; None when it refuses the file."""
    params = library.llama_model_default_params()
    params.vocab_only = True
    model = library.llama_model_load_from_file(path.encode(), params)
    if not model:
        return None
    vocabulary = library.llama_model_get_vocab(model)
    size = library.llama_vocab_n_tokens(vocabulary)
    ids = {role: getattr(library, f"llama_vocab_{role}")(vocabulary) for role in ("bos", "eos", "eot", "pad")}
    is_end = library.llama_vocab_is_eog
    return {
        "size": size,
        "ends": [number for number in range(size) if is_end(vocabulary, number)],
        **{role: None if number == NO_TOKEN else number for role, number in ids.items()},
        "add_bos": library.llama_vocab_get_add_bos(vocabulary),
        "add_eos": library.llama_vocab_get_add_eos(vocabulary),
        "tokens": [tokenize(library, vocabulary, text, add) for text, add in texts],
    }


def request(stream: BinaryIO) -> tuple[int, int, str, list[tuple[str, bool]]]:
    """Return how many bytes of address space and seconds of CPU time may be used, the file, and the texts that are asked
    for, with whether the model's own tokens are added to each. Two numbers of eight bytes come first, then texts: one byte
    that says whether, four with the length, UTF-8; the first is the file. All little-endian.
    """
    memory, cpu = (int.from_bytes(stream.read(8), "little") for _ in range(2))
    found = []
    while head := stream.read(5):
        text = stream.read(int.from_bytes(head[1:], "little"))
        found.append((text.decode("utf-8", "surrogatepass"), bool(head[0])))
    return memory, cpu, found[0][0], found[1:]


def as_json(value: object) -> str:
    """Write numbers, and what holds them."""
    if isinstance(value, dict):
        return "{" + ",".join(f'"{name}":{as_json(each)}' for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(as_json, value)) + "]"
    if value is None:
        return "null"
    return str(value).lower()


def main() -> None:
    """Answer one request."""
    try:
        library = load(sys.argv[1])
    except (OSError, AttributeError) as error:
        print(error, file=sys.stderr)
        sys.exit(NO_LIBRARY)
    memory, cpu, path, texts = request(sys.stdin.buffer)
    for what, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, cpu), (resource.RLIMIT_CORE, 0)):
        try:  # contextlib takes a while to import
            resource.setrlimit(what, (most, most))
        except (ValueError, OSError):  # where the system can't, whoever started us still has a clock
            continue
    log = LogCallback(Log())
    library.llama_log_set(log, None)
    print(as_json(answer(library, path, texts)), flush=True)


if __name__ == "__main__":
    main()
