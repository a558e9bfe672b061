"""The entry point: find the command, run it, and turn whatever happens into a message and an exit code. The one catch point."""

from __future__ import annotations

import difflib
import importlib
import os
import platform
import signal
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from pipeline import __version__
from pipeline.core.errors import BUG, INTERRUPTED, AssayError, SpecError

# In the order of the work: what `assay --help` lists.
COMMANDS = (
    "init lock fetch verify inspect lint explain check eval bench run gate report serve query schema completion doctor"
).split()


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
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line; returns the exit code. Everything that can go wrong is caught here and nowhere else."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = assay.main(args=arguments, prog_name="assay", standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except (KeyboardInterrupt, click.Abort):
        print("interrupted; what was finished is kept, run the command again to go on", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of stdout went away: nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except AssayError as error:
        show(error)
        return error.exit_code
    except Exception:
        return _bug(arguments)


def show(error: AssayError) -> None:
    """Print an expected error for people: what happened, what to do."""
    lead = "" if isinstance(error, SpecError) else "error: "
    print(f"{lead}{error.message}", file=sys.stderr)
    if error.hint:
        print(f"  -> {error.hint}", file=sys.stderr)


def _bug(arguments: list[str]) -> int:
    """Write a log that can be pasted into a report, and say where it is."""
    now = datetime.now(UTC)
    handle, path = tempfile.mkstemp(prefix=f"assay-{now:%Y%m%dT%H%M%S}-", suffix=".log")
    versions = f"assay {__version__}, Python {platform.python_version()}, {platform.platform()}"
    with os.fdopen(handle, "w") as log:
        log.write(f"{now:%Y-%m-%d %H:%M:%S} UTC\n{versions}\nassay {' '.join(arguments)}\n\n{traceback.format_exc()}")
    reason = traceback.format_exc(limit=0).strip().splitlines()[-1]
    print(f"bug in assay: {reason}\n  -> please report it with {Path(path)}", file=sys.stderr)
    return BUG


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
