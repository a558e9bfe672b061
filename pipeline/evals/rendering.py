"""Templates of strangers, rendered in a bounded child process."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.core.errors import EngineError, UsageError
from pipeline.core.proc import run
from pipeline.core.scratch import scratch

CHILD = Path(__file__).with_name("jinja_child.py")
SECONDS = 120.0


def render(templates: Mapping[str, Any], docs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return, for each document, what each template makes of it, or ``{"error": reason}``.

    Raises UsageError when the templates take more memory or time than there is for them.
    """
    answers: list[dict[str, Any]] = []
    with scratch() as folder:
        request = folder / "request.json"
        request.write_text(json.dumps({"templates": dict(templates), "docs": list(docs)}))
        try:
            # What a template could print stands inside a JSON string: a line is an answer.
            done = run(
                [sys.executable, "-I", CHILD, request],
                env={"LC_ALL": "C.UTF-8"},
                timeout=SECONDS,
                on_stdout=lambda line: answers.append(json.loads(line)),
            )
            how = done.ending if done.returncode else ""
        except EngineError as error:  # the time is over
            how = error.message.splitlines()[0]
    if how or len(answers) != len(docs):
        said = f"the task's templates could not be rendered: {how} at item {len(answers) + 1}"
        raise UsageError(said, hint="they take more memory or time than there is for them")
    return answers
