"""Set up .venv from the locked requirements, then run a command in it. Needs Python 3.11 or newer and a C++ compiler, nothing else.

python3 bootstrap.py assay run tiny-chat    the main job on the embedded model
python3 bootstrap.py nox -s tests           the tests
python3 bootstrap.py nox                    everything a change must pass

The first call builds llama.cpp, about five minutes on two cores; later calls start at once. CMAKE_ARGS="-DGGML_CUDA=on" builds for a GPU.
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
# What each command needs. `dev` holds all of `run`, so a .venv with `dev` serves both and is never cut back.
LOCKS = {"run": "requirements/run.txt", "dev": "requirements/dev.txt"}


def main(arguments: list[str]) -> NoReturn:
    if sys.version_info < (3, 11):
        fail(f"this is Python {sys.version.split()[0]}, Assay needs 3.11 or newer", "run this with a newer python3")
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__)
        sys.exit(0 if arguments else 2)
    handle = os.open(ROOT, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)  # two calls at once: the second waits, then finds everything there
    prepare("run" if arguments[0] == "assay" else "dev")
    os.close(handle)
    program = VENV / "bin" / arguments[0]
    if not program.is_file():
        fail(f"there is no {arguments[0]} in .venv/bin", "run for instance: python3 bootstrap.py nox -l")
    here, environment = Path.cwd(), {**os.environ, "VIRTUAL_ENV": str(VENV)}
    environment["PATH"] = f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    if arguments[0] != "assay":
        os.chdir(ROOT)
    elif "init" not in arguments and not any((folder / "specs").is_dir() for folder in (here, *here.parents)):
        environment.setdefault("ASSAY_PROJECT", str(ROOT))  # called from outside of any project: take this one
    os.execve(program, [str(program), *arguments[1:]], environment)


def prepare(wanted: str) -> None:
    """Bring .venv to what the lock files say, if it is not there already."""
    state = read_state()
    flags = os.environ.get("CMAKE_ARGS", state.get("cmake_args", ""))
    kind = "dev" if state.get("kind") == "dev" else wanted
    target = {"kind": kind, "root": str(ROOT), "cmake_args": flags, "digest": digest()}
    if state == target and PYTHON.exists():
        return
    rebuild = flags != state.get("cmake_args", "")
    if rebuild or not any(VENV.glob("lib/python*/site-packages/llama_cpp")):
        require_compiler()
        say("building llama.cpp once, about five minutes on two cores (quick where it has been built before) …")
    STATE.unlink(missing_ok=True)
    if not (PYTHON.exists() and UV.exists() and state.get("root", str(ROOT)) == str(ROOT)):
        make_venv()
    fresh = ["--no-cache", "--reinstall-package", "llama-cpp-python"] if rebuild else []
    environment = {**os.environ, **({"CMAKE_ARGS": flags} if flags else {})}
    uv = [UV, "pip"]
    hashed = ["--require-hashes", "--build-constraints", "requirements/build.txt"]
    run([*uv, "sync", "--python", PYTHON, *hashed, *fresh, LOCKS[kind]], environment)
    run([*uv, "install", "--quiet", "--python", PYTHON, "--no-deps", "--no-build-isolation", "--editable", "."], environment)
    STATE.write_text(json.dumps(target))


def make_venv() -> None:
    """Make an empty .venv and install uv into it, by hash."""
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        fail("this Python has no venv and ensurepip", "Debian and Ubuntu: apt install python3-venv")
    say("making .venv …")
    run([sys.executable, "-m", "venv", "--clear", VENV])
    pip = [PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    run([*pip, "--require-hashes", "--no-deps", "--only-binary", ":all:", "--requirement", "requirements/bootstrap.txt"])


def require_compiler() -> None:
    for variable, names in (("CC", ("cc", "gcc", "clang")), ("CXX", ("c++", "g++", "clang++"))):
        if not any(shutil.which(name) for name in (*os.environ.get(variable, "").split()[:1], *names)):
            fail("there is no C++ compiler; llama.cpp is built from source", "Debian: apt install g++ · Fedora: dnf install gcc-c++ · macOS: xcode-select --install")


def read_state() -> dict[str, str]:
    try:
        return dict(json.loads(STATE.read_text()))
    except (OSError, ValueError, TypeError):
        return {}


def digest() -> str:
    """Return the digest of everything that decides what is in .venv."""
    paths = [ROOT / "pyproject.toml", *sorted((ROOT / "requirements").glob("*.txt"))]
    return hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in paths)).hexdigest()


def run(command: list[str | Path], environment: dict[str, str] | None = None) -> None:
    if code := subprocess.run([*map(str, command)], cwd=ROOT, env=environment, stdout=sys.stderr).returncode:
        fail(f"{Path(command[0]).name} failed with exit code {code}", "its messages are above; run the same command again to go on")


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
