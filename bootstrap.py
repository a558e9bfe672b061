"""Set up .venv from the locked requirements, then run a command in it. Needs Python 3.11 or newer and a C++ compiler.

python3 bootstrap.py assay run tiny-chat    the main job on the embedded model
python3 bootstrap.py nox -s tests           the tests
python3 bootstrap.py nox                    everything a change must pass

The first call builds llama.cpp, about five minutes on two cores; later calls start at once. For a GPU, set for instance
CMAKE_ARGS="-DGGML_CUDA=on".
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON, UV, STATE = VENV / "bin" / "python", VENV / "bin" / "uv", VENV / "assay.json"


def main(arguments: list[str]) -> NoReturn:
    if sys.version_info < (3, 11):  # noqa: UP036  # whoever runs this file may have any python3
        fail(f"this is Python {sys.version.split()[0]}, Assay needs 3.11 or newer", "run this with a newer python3")
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__)
        sys.exit(0 if arguments else 2)
    handle = os.open(ROOT, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)  # of two calls at once, the second waits and finds everything there
    prepare("run" if arguments[0] == "assay" else "dev")
    os.close(handle)
    program = VENV / "bin" / arguments[0]
    if not program.is_file():
        fail(f"there is no {arguments[0]} in .venv/bin", "run for instance: python3 bootstrap.py nox -l")
    environment = {**os.environ, "VIRTUAL_ENV": str(VENV), "PATH": f"{VENV}/bin:{os.environ.get('PATH', os.defpath)}"}
    here = Path.cwd()
    if arguments[0] != "assay":
        os.chdir(ROOT)
    elif "init" not in arguments and not any((folder / "specs").is_dir() for folder in (here, *here.parents)):
        environment.setdefault("ASSAY_PROJECT", str(ROOT))  # called outside of any project: take this one
    os.execve(program, [str(program), *arguments[1:]], environment)


def prepare(wanted: str) -> None:
    """Bring .venv to what the lock files say, unless it is there already."""
    try:
        state = json.loads(STATE.read_text())
    except (OSError, ValueError):
        state = {}
    flags = os.environ.get("CMAKE_ARGS", state.get("cmake_args", ""))
    kind = "dev" if state.get("kind") == "dev" else wanted
    target = {"kind": kind, "root": str(ROOT), "cmake_args": flags, "digest": digest()}
    if state == target and PYTHON.exists():
        return
    rebuild = flags != state.get("cmake_args", "")
    if rebuild or not any(VENV.glob("lib/python*/site-packages/llama_cpp")):
        require_compiler()
        say("building llama.cpp, once: about five minutes on two cores, less where it was built before …")
    STATE.unlink(missing_ok=True)
    if not (PYTHON.exists() and UV.exists() and state.get("root", str(ROOT)) == str(ROOT)):
        make_venv()
    hashed = ["--require-hashes", "--build-constraints", "requirements/build.txt"]
    # uv's cache knows nothing of CMAKE_ARGS: a build with other flags must neither come from it nor get into it.
    fresh = ["--no-cache", "--reinstall-package", "llama-cpp-python"] if rebuild else []
    run([UV, "pip", "sync", "--python", PYTHON, *hashed, *fresh, f"requirements/{kind}.txt"], CMAKE_ARGS=flags)
    run([UV, "pip", "install", "-q", "--python", PYTHON, "--no-deps", "--no-build-isolation", "--editable", "."])
    STATE.write_text(json.dumps(target))


def make_venv() -> None:
    """Make an empty .venv and install uv into it, by hash."""
    if not (importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv")):
        fail("this Python lacks venv or ensurepip", "Debian and Ubuntu: apt install python3-venv")
    say("making .venv …")
    run([sys.executable, "-m", "venv", "--clear", VENV])
    hashed = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", "requirements/bootstrap.txt"]
    run([PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *hashed])


def require_compiler() -> None:
    for variable, names in (("CC", "cc gcc clang"), ("CXX", "c++ g++ clang++")):
        if not any(map(shutil.which, os.environ.get(variable, "").split()[:1] + names.split())):
            hint = "Debian: apt install g++; Fedora: dnf install gcc-c++; macOS: xcode-select --install"
            fail("there is no C++ compiler, and llama.cpp is built from source", hint)


def digest() -> str:
    """Return the digest of everything that decides what is in .venv."""
    paths = [ROOT / "pyproject.toml", *sorted((ROOT / "requirements").glob("*.txt"))]
    return hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in paths)).hexdigest()


def run(command: list[str | Path], **more: str) -> None:
    environment = {**os.environ, **{name: value for name, value in more.items() if value}}
    if code := subprocess.run([*map(str, command)], cwd=ROOT, env=environment, stdout=sys.stderr).returncode:
        fail(f"{Path(command[0]).name} ended with exit code {code}", "see above; the same command again goes on")


def say(message: str) -> None:
    print(f"bootstrap: {message}", file=sys.stderr, flush=True)


def fail(message: str, hint: str) -> NoReturn:
    sys.exit(f"bootstrap: error: {message}\n  -> {hint}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        say("interrupted; run the same command again to go on")
        sys.exit(130)
