"""Find llama.cpp and know exactly which one it is.

Looked for in this order: what the user names with ``--engine`` or ``$ASSAY_ENGINE`` (``llama-server`` or its folder),
the build that came with the Python bindings, ``llama-server`` on PATH. The identity is made of what can't lie: the
commit compiled in, and the sha256 of the server, of every shared library that the loader would give it, and of those
that the bindings load.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipeline.core.canonical import digest_of
from pipeline.core.digest import Digest
from pipeline.core.errors import EngineError
from pipeline.lock.model import LockedEngine

HOW_TO_BUILD = (
    "build it: python3 bootstrap.py assay doctor (five minutes; needs a C++ compiler); rm -r .venv starts anew"
)
HOW_TO_NAME = "name llama-server or its folder with --engine or ASSAY_ENGINE, or neither to use the packaged one"
STRAY_CONFIG = Path("/etc/llama.cpp/config.ini")
_BACKENDS = re.compile(r"libggml-([a-z0-9]+)\.(?:so|dylib)")
_PACKAGED = "packaged with llama-cpp-python"
_PASSED = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "GGML_VK_VISIBLE_DEVICES")


@dataclass(frozen=True)
class EngineIdentity:
    """Which llama.cpp this is. ``files`` maps names to sha256 digests; ``devices`` are the variables that say which GPUs
    it sees, where they are set; ``origin``, how it was found, is not part of it.
    """

    commit: str
    version: str
    backends: tuple[str, ...]
    files: dict[str, str]
    origin: str = ""
    devices: dict[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> Digest:
        return digest_of(self.content())

    def content(self) -> dict[str, Any]:
        """Return what the digest covers, as JSON."""
        return {
            "commit": self.commit,
            "version": self.version,
            "backends": list(self.backends),
            "files": dict(sorted(self.files.items())),
            **({"devices": dict(sorted(self.devices.items()))} if self.devices else {}),
        }


@dataclass(frozen=True)
class EngineBuild:
    """One llama.cpp on this machine."""

    server: Path
    identity: EngineIdentity

    def tool(self, name: str) -> Path:
        """Return a tool that was built with the server. Raises EngineError when it wasn't."""
        path = self.server.with_name(name)
        if not path.is_file():
            raise EngineError(f"{name} is missing beside {self.server}", hint=HOW_TO_BUILD)
        return path

    def files(self) -> dict[Path, str]:
        """Return the engine's own files with their digests: the server and the libraries beside it, not those of the system."""
        folders = {self.server.parent.resolve(), (self.server.parent.parent / "lib").resolve()}
        found = [self.server.resolve(), *_libraries(self.server)]
        return {path: self.identity.files[path.name] for path in found if path.parent in folders}

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment that the engine gets. What of the user's is in it is part of the identity."""
        return environment(self.server)


def environment(server: Path) -> dict[str, str]:
    """Return the environment for a llama.cpp binary: its libraries are found, no configuration or
    ``LLAMA_ARG_*`` is.
    """
    base = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "XDG_CONFIG_HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}
    library = server.parent.parent / "lib"
    if library.is_dir():
        base["DYLD_LIBRARY_PATH" if sys.platform == "darwin" else "LD_LIBRARY_PATH"] = str(library)
    return base | _devices()


def _devices() -> dict[str, str]:
    return {key: os.environ[key] for key in _PASSED if key in os.environ}


def find_engine(configured: Path | None = None) -> EngineBuild:
    """Return the engine and its identity. Raises EngineError that says what is missing and how to get it."""
    if STRAY_CONFIG.exists():
        raise EngineError(f"{STRAY_CONFIG} exists: it would change a pinned server silently", hint="remove it")
    server, origin = _find(configured)
    return EngineBuild(server, _identify(server, origin))


def require_pinned(build: EngineBuild, pinned: LockedEngine) -> None:
    """Raise EngineError unless the engine is of the commit that the lock pins."""
    have, want = build.identity.commit, pinned.llama_cpp_commit
    if not (have.startswith(want) or want.startswith(have)):
        compare = f"{HOW_TO_NAME}; to see what would change with it: assay check NAME --against {build.server}"
        hint = HOW_TO_BUILD if build.identity.origin == _PACKAGED else compare
        raise EngineError(f"{build.server} is llama.cpp {have}, the lock pins {want}", hint=hint)


def _find(configured: Path | None) -> tuple[Path, str]:
    named = configured or os.environ.get("ASSAY_ENGINE")
    if named:
        path = Path(named)
        path = path / "llama-server" if path.is_dir() else path
        if not path.is_file():
            raise EngineError(f"no llama-server at {path}", hint=HOW_TO_NAME)
        return path.resolve(), "named by the user"
    bindings = _bindings()
    if bindings and (packaged := bindings.parent / "bin" / "llama-server").is_file():
        return packaged, _PACKAGED
    if found := shutil.which("llama-server"):
        return Path(found).resolve(), "on PATH"
    if bindings:
        raise EngineError("llama-cpp-python is installed, but was built without llama-server", hint=HOW_TO_BUILD)
    raise EngineError("llama.cpp is not installed", hint=HOW_TO_BUILD)


def _identify(server: Path, origin: str) -> EngineIdentity:
    said = _ask([str(server), "--version"], server)
    found = re.search(r"version: (.+?) \((?:build \d+, )?(?:commit )?([0-9a-f]{7,40})\)", said)
    if not found:
        raise EngineError(f"{server} does not say which llama.cpp it is: {said.strip()[:200]!r}", hint=HOW_TO_BUILD)
    files = {server.name: server} | {path.name: path for path in _libraries(server)} | _bound_libraries()
    with ThreadPoolExecutor() as pool:
        digests = dict(zip(files, pool.map(lambda path: str(Digest.of_file(path)), files.values()), strict=True))
    backends = sorted({match[1] for name in files if (match := _BACKENDS.match(name))} - {"base"})
    return EngineIdentity(found[2], found[1], tuple(backends), digests, origin, _devices())


def _libraries(server: Path) -> list[Path]:
    """Return the files that the loader would map for ``server``, with what lies beside it to be loaded later."""
    beside = server.parent.parent / "lib"
    later = [path for pattern in ("libggml*.so", "libggml*.dylib", "*.metal") for path in beside.glob(pattern)]
    if sys.platform == "darwin":
        return [path.resolve() for path in (*beside.glob("*.dylib"), *later)]
    said = _ask(["ldd", str(server)], server)
    if "not found" in said:
        raise EngineError(f"{server} lacks a shared library", hint=f"see: ldd {server}; {HOW_TO_BUILD}")
    listed = re.findall(r"(?:=> )?(/\S+) \(0x", said)
    return sorted({Path(path).resolve() for path in listed} | {path.resolve() for path in later})


def _bindings() -> Path | None:
    """Return the folder of llama-cpp-python, which is not imported for it."""
    package = find_spec("llama_cpp")
    return Path(package.origin).parent if package and package.origin else None


def bound_library() -> Path | None:
    """Return the llama.cpp library that the bindings load, None where there is none."""
    bindings = _bindings()
    found = [bindings / "lib" / name for name in ("libllama.so", "libllama.dylib")] if bindings else []
    return next((path for path in found if path.is_file()), None)


def _bound_libraries() -> dict[str, Path]:
    """Return the libraries that the bindings load to score with: part of the engine, whichever server is used."""
    bindings = _bindings()
    found = sorted((bindings / "lib").glob("lib*")) if bindings else []
    return {f"llama_cpp/{path.name}": path for path in found if not path.is_symlink()}


def _ask(argv: list[str], server: Path) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, env=environment(server), check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"{argv[0]} does not run: {error}", hint=HOW_TO_BUILD) from None
    return done.stdout + done.stderr
