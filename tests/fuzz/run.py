"""Fuzz for as long as wanted, guided by the code that is reached: ``python -m tests.fuzz.run header -max_total_time=600``.

Needs atheris (``nox -s fuzz`` installs it into an environment of its own). The options are libFuzzer's. What breaks a
promise is kept in a file ``crash-…``, and ends the run.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(include=["jinja2", "pipeline"]):
    import jinja2

    from pipeline.gguf import facts, header, tokens, values  # noqa: F401
    from pipeline.lint import render_child, render_scan

from hypothesis import given, settings

from tests.fuzz import headers, templates

TINY_CHAT = Path(__file__).parents[2] / "models" / "tiny-chat"
FLAGS = ["-timeout=60", "-rss_limit_mb=2048", "-print_final_stats=1"]


def fuzz_header(content: bytes) -> None:
    """The first byte says how much of the file is not there."""
    if content:
        headers.judge(content[1:], len(content) - 1 + content[0])


def fuzz_template(content: bytes) -> None:
    """Bytes that begin with "T" are a template; all others choose one from the grammar."""
    if content[:1] == b"T":
        _render(content[1:].decode("utf-8", "replace"))
    else:
        _grammar(content)


@settings(deadline=None, database=None)
@given(templates.TEMPLATES)
def _chosen(template: str) -> None:
    _render(template)


_tried: Any = _chosen
_grammar = _tried.hypothesis.fuzz_one_input


def _render(template: str) -> None:
    made = render_child.environment()
    with suppress(jinja2.TemplateSyntaxError, RecursionError):
        render_scan.scan(made, template, made.parse(template))  # here, so that what is reached is seen
    templates.judge(template)


TARGETS = {
    "header": (fuzz_header, [b"\0" + headers.SMALL, b"\0" + (TINY_CHAT / "tiny-chat-q8_0.gguf").read_bytes()[:4000]]),
    "template": (
        fuzz_template,
        [b"T" + (TINY_CHAT / "chat_template.jinja").read_bytes(), b"\0" * 40, bytes(range(256))],
    ),
}


def main() -> None:
    """Fuzz the target that is named."""
    function, seeds = TARGETS[sys.argv[1]]
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(seeds):
            (Path(folder) / str(number)).write_bytes(seed)
        atheris.Setup([sys.argv[0], *FLAGS, "-max_len=8192", *sys.argv[2:], folder], function)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
