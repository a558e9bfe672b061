"""What every command shares: where the project is, how it speaks, what it returns."""

from __future__ import annotations

import json
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from pipeline.core.errors import AssayError, SpecError, refusal
from pipeline.report.text import visible

if TYPE_CHECKING:
    from pipeline.core.project import Project
    from pipeline.flow.session import Session

F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class App:
    """One invocation: where to look and how to answer. stdout is the result; stderr is for people."""

    folder: Path
    as_json: bool
    quiet: bool
    engine: Path | None
    answered: bool = field(default=False, init=False)

    def project(self) -> Project:
        """Return the project. Raises UsageError where there is none."""
        from pipeline.core.project import Project

        return Project.find(self.folder)

    def session(self, *, offline: bool = False) -> Session:
        """Return the session of the project. Raises UsageError where there is none."""
        from pipeline.cli.console import progress_for
        from pipeline.flow.session import Session

        progress = progress_for(self.quiet)
        return Session(self.project(), progress=progress, engine_path=self.engine, offline=offline)

    def answer(
        self, schema: str, content: dict[str, Any], text: str, *, exact: bool = False, must: bool = False
    ) -> None:
        """Print the result: ``content`` as JSON with its schema, or ``text`` for people.

        Models and files may hold characters that a terminal obeys: they are written out. An ``exact`` text is left as
        it is, unless it goes to a terminal. Where nobody reads it, what it came to is still the exit code; where it ``must``
        be read, BrokenPipeError is raised.
        """
        self.answered = True
        if self.as_json:
            text = json.dumps({"schema": f"assay.{schema}/1", **content}, indent=2, ensure_ascii=False, default=str)
            text = text.translate(_ESCAPES)
        elif not exact or sys.stdout.isatty():
            text = visible(text)
        if not text:
            return
        with nullcontext() if must else heard(sys.stdout):
            click.echo(text, color=True)  # or click would take out what it thinks are colours


@contextmanager
def heard(stream: TextIO) -> Iterator[None]:
    """Let it be no error that a stream's reader went away."""
    try:
        yield
    except BrokenPipeError:
        hush(stream)


def hush(*streams: TextIO) -> None:
    """Let nothing more be written to streams whose reader went away."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        os.dup2(nowhere, stream.fileno())


class _Escapes(dict[int, int | str]):
    """Hidden characters as JSON's own escapes, each found out once, so that a JSON text keeps its meaning."""

    def __missing__(self, code: int) -> int | str:
        hidden = unicodedata.category(chr(code)) in ("Cc", "Cf", "Cs", "Zl", "Zp") and code != ord("\n")
        self[code] = json.dumps(chr(code))[1:-1] if hidden else code
        return self[code]


_ESCAPES = _Escapes()


def command(function: F) -> click.Command:
    """Make a command of ``function(app, …) -> exit code``; its docstring is its help, examples included.

    With ``--json`` stdout holds one JSON document, also when the command fails before it has an answer.
    """
    name = function.__name__.removesuffix("_").replace("_", "-")

    @click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
    @click.option("--quiet", "-q", is_flag=True, help="No progress, no notes.")
    @click.option(
        "--project",
        type=click.Path(file_okay=False, path_type=Path),
        default=".",
        envvar="ASSAY_PROJECT",
        help="Any folder of the project.",
    )
    @click.option(
        "--engine", type=click.Path(path_type=Path), help="A llama-server to use instead of the packaged one."
    )
    @wraps(function)
    def run(as_json: bool, quiet: bool, project: Path, engine: Path | None, **arguments: Any) -> int:
        app = App(project, as_json, quiet, engine)
        try:
            result: int | None = function(app, **arguments)
        except (AssayError, OSError) as error:
            known = error if isinstance(error, AssayError) else refusal(error)
            if known and as_json and not app.answered:
                app.answer("error", error_content(known), "")
            raise
        return result or 0

    return click.command(name)(run)


def error_content(error: AssayError) -> dict[str, Any]:
    """Return an error as JSON."""
    content: dict[str, Any] = {"message": error.message, "hint": error.hint, "exit_code": error.exit_code}
    if isinstance(error, SpecError):
        content["problems"] = [asdict(problem) for problem in error.problems]
    return content


def show_as_json(error: AssayError) -> None:
    """Print an error of a command line that could not be read as JSON."""
    App(Path(), True, True, None).answer("error", error_content(error), "")


def show(error: AssayError) -> None:
    """Print an expected error for people: what happened, what to do."""
    lead = "" if isinstance(error, SpecError) else "error: "
    hint = f"\n  -> {error.hint}" if error.hint else ""
    with heard(sys.stderr):
        print(visible(f"{lead}{error.message}{hint}"), file=sys.stderr, flush=True)


def complete_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of specs that begin with what was typed."""
    from pipeline.core.project import Project
    from pipeline.spec.load import spec_files

    try:
        project = Project.find(Path(context.params.get("project") or "."))
    except AssayError:
        return []
    return [path.stem for path in spec_files(project) if path.stem.startswith(incomplete)]


def listed(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Take what was given several times, with commas, or both, as one list. An option that names nothing is refused, since
    it would stand for everything.
    """
    parts = [[part.strip() for part in value.split(",") if part.strip()] for value in values]
    if not all(parts):
        raise click.BadParameter("it names nothing; leave it away to mean all", context, parameter)
    return tuple(one for part in parts for one in part)


class _Rate(click.ParamType[int]):
    """Bytes a second, with k, M or G for thousands of them."""

    name = "rate"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> int:
        found = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]+)?)([kKmMgG]?)[bB]?(?:/s)?", str(value))
        size = float(found[1]) * {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}[found[2].lower()] if found else 0.0
        if size < 1:
            self.fail(f"{value!r} is no rate: write for instance 500k, 20M or 1G", parameter, context)
        return int(size)


RATE = _Rate()
NAMES = click.argument("names", nargs=-1, metavar="[NAME…]", shell_complete=complete_names)
NAME = click.argument("name", metavar="NAME", shell_complete=complete_names)
PUBLIC_KEYS = click.option(
    "--public-key",
    "public_keys",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A trusted key in PEM, or a folder of them (*.pem, *.pub). Can be given several times.",
)
