"""Two builds of the engine on the terminal: what ``assay check --against`` prints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cli.command import App
from pipeline.cli.turns import Turns

if TYPE_CHECKING:
    from pipeline.flow.engines import Comparison


def run_against(app: App, names: tuple[str, ...], other: Path, force: bool) -> int:
    """Compare the engine with another one for some specs. Returns 1 when anything is worse on the other."""
    from pipeline.flow.engines import WORSE, Comparison, compare_engines, content

    session = app.session()
    turns, found = Turns(session.names(names)), list[Comparison]()
    for name in turns.names:
        with turns.of(name):
            found.append(compare_engines(session, name, other, force=force))
    answer = {"comparisons": [content(one) for one in found], "errors": turns.content()}
    app.answer("check-against", answer, "\n".join(line for one in found for line in _lines(one)))
    return turns.end(1 if any(one.verdict == WORSE for one in found) else 0)


def _lines(found: Comparison) -> Iterator[str]:
    before, after = (f"llama.cpp {one.identity.commit} ({one.identity.digest.short})" for one in found.builds)
    yield f"{found.name}: {found.verdict}; {before}, then {after}"
    for subject, count in (("case", found.cases), ("prompt", found.prompts)):
        changed = sum(one.subject == subject for one in found.differences)
        yield f"  {count} {subject}{'s' * (count != 1)} compared, {changed} not the same"
    for one in found.differences:
        yield f"  {one.change:6} {one.subject} {one.name}"
        for label, text in (("before: ", one.before), ("after:  ", one.after)):
            first, *rest = text.splitlines() or [""]
            yield f"      {label}{first}"
            yield from (f"        {line}" for line in rest)
        yield from (f"      {line}" for line in one.diff.splitlines())
