"""The entry point: find the command, run it, and turn whatever happens into a message and an exit code. The one catch
point.
"""

from __future__ import annotations

import importlib
import io
import os
import select
import signal
import sys
from types import FrameType
from typing import NoReturn, TextIO

import click

from pipeline import __version__
from pipeline.core.errors import BUG, INTERRUPTED, OK, AssayError, UsageError, refusal

_ASKING = {"-h", "--help", "--version"}

# In the order of the work: what `assay --help` lists.
COMMANDS = [
    *(
        "init",
        "lock",
        "outdated",
        "fetch",
        "verify",
        "inspect",
        "lint",
        "fix",
        "explain",
        "check",
        "eval",
        "bench",
        "tune",
        "run",
        "gate",
        "catalog",
        "baseline",
    ),
    *(
        "report",
        "compare",
        "history",
        "reproduce",
        "results",
        "record",
        "serve",
        "deploy",
        "status",
        "logs",
        "stop",
        "rollback",
        "audit",
        "connect",
        "sbom",
        "attest",
        "prune",
        "bundle",
        "import",
        "mirror",
        "export",
        "query",
        "schema",
        "completion",
        "doctor",
    ),
]


class Commands(click.Group):
    """Commands that are imported when they are needed, a module each."""

    def list_commands(self, context: click.Context) -> list[str]:
        return COMMANDS

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"pipeline.cli.{name}")
        found: click.Command = getattr(module, f"{name}_" if hasattr(module, f"{name}_") else name)
        return found

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(context, arguments)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(arguments[0], COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near and "Did you mean" not in error.message else ""
            raise click.UsageError(error.message + hint, context) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="assay")
def assay() -> None:
    """Pin local LLMs by digest, test exactly what is pinned, serve exactly what was tested.

    \b
    assay lock tiny-chat      pin what specs/tiny-chat.yaml names, by digest
    assay run tiny-chat       fetch, verify, lint, check, evaluate, benchmark, judge, report
    assay serve tiny-chat     serve it on 127.0.0.1, verified and proven

    \b
    Exit codes: 0 ok · 1 findings, or the gate said no · 2 usage or bad spec · 3 lock out of date · 4 network
    5 digest mismatch · 6 engine failed · 7 deployment failed · 70 bug · 130 interrupted
    """


def main() -> NoReturn:
    """Run the command line and exit."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # for what the terminal's encoding doesn't have
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line; returns the exit code. Everything that can go wrong is caught here and nowhere else."""
    try:
        return _run(arguments)
    except BrokenPipeError:  # who heard of the work left: it ends as by Ctrl-C; of a help there is no more to come
        from pipeline.cli.command import hush

        hush(sys.stdout, sys.stderr)
        return OK if _ASKING & set(arguments) else INTERRUPTED


def _run(arguments: list[str]) -> int:
    from pipeline.cli.command import heard, show, show_as_json

    try:
        return _invoke(arguments)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        with heard(sys.stderr):
            error.show()
        if "--json" in arguments:
            show_as_json(UsageError(error.format_message()))
        return UsageError.exit_code
    except KeyboardInterrupt:
        print("\ninterrupted; what was finished is kept, run the command again to go on", file=sys.stderr)
        return INTERRUPTED
    except AssayError as error:
        show(error)
        return error.exit_code
    except Exception as error:
        if isinstance(error, BrokenPipeError) and (_left(sys.stdout) or _left(sys.stderr)):
            raise
        if isinstance(error, OSError) and (refused := refusal(error)):
            show(refused)
            return refused.exit_code
        from pipeline.cli.bug import write

        path, reason = write(error, arguments)
        with heard(sys.stderr):
            print(f"bug in assay: {reason}\n  -> please report it with {path}", file=sys.stderr, flush=True)
        return BUG


def _invoke(arguments: list[str]) -> int:
    if "_ASSAY_COMPLETE" in os.environ:  # the shell asks for completions
        assay.main(args=arguments, prog_name="assay")
    with assay.make_context("assay", list(arguments)) as context:
        code: int | None = assay.invoke(context)
    sys.stdout.flush()
    return code or OK


def _left(stream: TextIO) -> bool:
    """Tell whether a stream is a pipe whose reader went away."""
    asked = select.poll()
    asked.register(stream.fileno(), select.POLLOUT)
    return any(said & (select.POLLERR | select.POLLHUP) for _, said in asked.poll(0))


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
