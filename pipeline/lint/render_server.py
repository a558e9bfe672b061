"""Renders one request after the other: ``python -I render_server.py``, a request a line on stdin; on stdout an answer a
line, then a line that says how it ended.

Python and jinja2 are started once. Each request is rendered in a fork of its own, under its own limits on memory and CPU
time, so that one leaves nothing behind for the next: neither state nor a mess. Ends when stdin does, or when nobody has
asked for a while.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import os
import resource
import select
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

IDLE_SECONDS = 60.0
REFUSED = (
    "open",
    "os.",
    "socket.",
    "subprocess.",
    "ctypes.",
    "shutil.",
    "mmap.",
    "fcntl.",
    "resource.",
    "signal.",
    "pty.",
)
ESCAPED = "the template reached beyond its sandbox"
WARM = "{% for message in messages %}{{ message.role + message['content'] | trim }}{% endfor %}"


def loaded(name: str) -> Any:
    """Load a module that lies beside this file; ``python -I`` doesn't look there."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec and spec.loader
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def limit(memory: int, cpu: int) -> None:
    """Bound our memory (bytes) and CPU time (seconds); where the system can't, the parent's clock remains."""
    for what, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, cpu), (resource.RLIMIT_CORE, 0)):
        with suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))


def guard() -> None:
    """Refuse for good what no rendering needs: should a template get out of the sandbox, it gets no further. Python's own
    source files may be read, as a traceback does.
    """
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    reads = event == "open" and str(arguments[0]).endswith(".py") and not str(arguments[1] or "r").strip("rbt")
    if event.startswith(REFUSED) and not reads:
        raise PermissionError(f"{ESCAPED}: {event}")


def render(child: Any, line: bytes) -> NoReturn:
    """Answer a request and end: ``templates`` by name, ``jobs`` each with its template's name and context, ``memory``,
    ``cpu``.
    """
    status = 1
    try:
        request = json.loads(line)
        limit(request["memory"], request["cpu"])
        guard()
        for answer in child.answers(request["templates"], request["jobs"]):
            say(answer)
        status = 0
    except BaseException as error:
        say({"fatal": f"{type(error).__name__}: {error}"[:200]})
    finally:
        os._exit(status)


def say(answer: dict[str, Any]) -> None:
    """Write a line, all of it, now."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Answer requests until there are no more."""
    child = loaded("render_child")
    job = {"template": "t", "context": {"messages": [{"role": "", "content": ""}]}}
    for _ in child.answers({"t": WARM}, [job, {"template": "t", "context": {"$scan": True}}]):
        pass  # what jinja2 prepares at its first use, all forks have
    gc.disable()  # what a fork leaves behind goes with it
    gc.freeze()
    requests = sys.stdin.buffer
    while select.select([requests], [], [], IDLE_SECONDS)[0] and (line := requests.readline()):
        pid = os.fork()
        if pid == 0:
            render(child, line)
        _, status = os.waitpid(pid, 0)
        sys.stdout.write("\n")  # ends what a fork that was killed has begun
        say({"end": os.waitstatus_to_exitcode(status)})


if __name__ == "__main__":
    with suppress(BrokenPipeError, KeyboardInterrupt):
        main()
