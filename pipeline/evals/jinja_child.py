"""Renders a task's templates in a process of its own: ``python -I jinja_child.py REQUEST``, an answer a line on stdout.

It imports nothing of this package. Templates come from strangers: the sandbox keeps them from Python, the limits on memory
and CPU time keep them from the machine. What a template finds here is what the LM Evaluation Harness gives it: undefined
names are errors, ``regex_replace`` is a filter, and a template that is the name of a field stands for that field.
"""

from __future__ import annotations

import ast
import json
import re
import resource
import sys
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

MEMORY, SECONDS, LONGEST, MOST = 1 << 30, 60, 4 << 20, 256 << 20


def main() -> None:
    """Read {"templates": {name: text or list}, "docs": [{...}]} from the file, and write {name: value} or {"error": ...}
    for each."""
    with open(sys.argv[1], encoding="utf-8") as file:
        request = json.load(file)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    environment = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    environment.filters["regex_replace"] = regex_replace
    written = 0
    for doc in request["docs"]:
        try:
            answer = {name: value_of(environment, text, doc) for name, text in request["templates"].items()}
            json.dumps(answer, ensure_ascii=False, allow_nan=False).encode()  # else it is nothing that could be asked
        except Exception as error:
            said = str(error)[:300].encode(errors="backslashreplace").decode()
            answer = {"error": f"{type(error).__name__}: {said}"}
        line = json.dumps(answer)
        written += len(line)
        if written > MOST:
            sys.exit(f"more than {MOST >> 20} MiB of text")
        print(line, flush=True)


def regex_replace(text: str, pattern: str, new: str, count: int = 0) -> str:
    """Replace what a pattern matches."""
    return re.sub(pattern, new, text, count=count)


def value_of(environment: jinja2.Environment, text: Any, doc: dict[str, Any]) -> Any:
    """Return a field of the document, or what a template makes of it: text, or a list that the text spells."""
    if not isinstance(text, str):
        return text
    if text in doc:
        return doc[text]
    made = environment.from_string(text).render(**doc)
    if len(made) > LONGEST:
        raise ValueError(f"more than {LONGEST >> 20} MiB of text")
    if made[:1] == "[" and made[-1:] == "]":
        try:
            return ast.literal_eval(made)
        except (ValueError, SyntaxError):
            return made
    return made


if __name__ == "__main__":
    main()
