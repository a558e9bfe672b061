"""The pages of lint rules for ``generate.py``: a list of all, and a page for each, with the finding that a faulty file
gives.
"""

from __future__ import annotations

import inspect
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pipeline.lint.engine import rules
from pipeline.lint.formats import text
from pipeline.lint.formats._base import Linted
from pipeline.lint.model import Stage
from pipeline.lint.rules._base import Rule
from pipeline.lint.subject import subject_of

STAGES = {
    Stage.HEADER: "the bytes before the weights; no engine is asked",
    Stage.VOCABULARY: "llama.cpp's own reading of the vocabulary; no weights are needed",
    Stage.HOLLOW: "the real llama-server with this file's tokenizer and template and an empty body",
    Stage.PLAYBACK: "the real llama-server with this file's tokenizer and template and a body that says what a script wants",
}
INTRO = """\
`assay explain CODE` prints a rule's page without the example. Codes never change their meaning. A1xx judge chat
templates, A2xx tokens, A3xx metadata, A4xx licences, A5xx what hides in a file, A6xx what the engine makes of it, A7xx
what becomes of answers and tool calls."""


def index(table: str, mark: str) -> str:
    """Return the list of all rules; ``table`` has a row a rule."""
    return "\n\n".join(["# Lint rules", mark, INTRO, table])


def rows() -> Iterator[tuple[str, ...]]:
    """Yield the rows of the list: code with its page, name, severity, stage, summary."""
    yield "Code", "Name", "Severity", "Stage", "What"
    for rule in rules().values():
        yield (f"[{rule.code}](rules/{rule.code}.md)", rule.slug, rule.severity.value, rule.stage.value, rule.summary)


def pages(mark: str) -> dict[str, str]:
    """Return the page of each rule, by its path under ``reference``."""
    return {f"rules/{rule.code}": "\n\n".join(_page(rule, mark)) for rule in rules().values()}


def _page(rule: Rule, mark: str) -> Iterator[str]:
    yield f"# {rule.code} {rule.slug}"
    yield mark
    yield f"Usual severity: **{rule.severity}**. Judged by: {STAGES[rule.stage]}."
    yield (inspect.getdoc(rule) or "").replace("``", "`")
    if example := _example(rule):
        yield "## Example"
        yield "What a file with this fault gives:"
        yield f"```text\n{example}\n```"
    yield f"""## Accept it

Where you know it and it does no harm, say so in the spec, with a reason; with `until` only for a time:

```yaml
lint:
  ignore:
    - {{code: {rule.code}, reason: why it does no harm here}}
```

[All rules](../rules.md)"""


def _example(rule: Rule) -> str:
    """Return what lint prints of the first faulty file that this rule is meant for, as ``tests/zoo.py`` makes it."""
    if rule.stage is not Stage.HEADER:
        return ""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from tests import zoo

    for name, defect in zoo.DEFECTS.items():
        if defect.rule != rule.code:
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "faulty.gguf"
            defect.make(path)
            subject = subject_of(path, spec=zoo.spec(**defect.spec))
            found = tuple(rule.check(subject))
        if found:
            shown = text.render([Linted(f"{name}.gguf", "", found, found, (), {})])
            return "\n".join(line.rstrip() for line in shown.splitlines()[:9])
    return ""
