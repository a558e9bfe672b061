from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._template import TEMPLATE_FIX, ScanRule, Use, place, reached, sources, uses
from pipeline.lint.subject import Subject

FILTERS = frozenset(
    "abs append capitalize count d default dictsort endswith first float get indent int items join keys last length list "
    "lower lstrip map max min pop reject rejectattr replace reverse rsplit rstrip safe select selectattr slice sort split "
    "startswith string strip sum title tojson trim truncate upper values wordcount".split()
)
METHODS = FILTERS | {"format"}
TESTS = frozenset(
    "boolean callable defined divisibleby eq equalto even false float ge greaterthan gt in integer iterable lessthan "
    "lower lt mapping ne none number odd sameas sequence string test true undefined upper".split()
)
CALLS = frozenset("dict namespace range raise_exception strftime_now tojson".split())
SELECTING = {"selectattr": 1, "rejectattr": 1, "select": 0, "reject": 0}
"""Filters that take the name of a test -> where it stands among their arguments."""
PARSED = ("statement", "operator", "escape")


class EngineLacksFeature(ScanRule):
    """The chat template uses a feature of Jinja that llama.cpp's own engine does not have.

    llama.cpp has its own Jinja engine. Statements (`include`, `raw`, `with`), operators (`//`, `**`) and escapes in
    strings (such as a `u` with four digits) that it does not know stop the server from starting. Filters, tests and
    methods that it does not know fail when a request comes to them: an error where an ordinary one does, else an info.
    The template works in transformers, so its publisher does not notice (llama.cpp#11443, zed#45379).

    To mend it, write it without the feature and name the template in the spec (`chat.template`).
    """

    code = "A123"
    severity = Severity.ERROR

    def check(self, subject: Subject) -> Iterable[Finding]:
        called = reached(subject)
        for source in sources(subject):
            seen = set[str]()
            for use in sorted(uses(subject, source), key=lambda use: (not _is_certain(use, called), use.line)):
                what = _lacking(use)
                if not what or what in seen or use.name.startswith("_"):
                    continue
                seen.add(what)
                stops = "the server does not start" if source.probe == "scan" else "it is left out"
                then = stops if use.kind in PARSED else "requests that come to it fail"
                yield self.finding(
                    f"llama.cpp's Jinja has no {what}: {then}",
                    where=place(source, use.line, (f"| {use.name}", f"|{use.name}", use.name)),
                    evidence=_line(source.text, use.line),
                    fix=f"write it without {what}; {TEMPLATE_FIX}",
                    severity=Severity.ERROR if _is_certain(use, called) else Severity.INFO,
                )


def _is_certain(use: Use, called: set[tuple[str, int, str]]) -> bool:
    """Whether an ordinary request, or already the start, comes to this use."""
    return use.kind in PARSED or not use.guarded or _was_called(use, called)


def _lacking(use: Use) -> str:
    """Name what llama.cpp lacks of one use; "" for nothing."""
    positional, named = (use.detail["positional"], use.detail["named"]) if isinstance(use.detail, dict) else ([], {})
    if use.kind == "statement":
        return f"{{% {use.name} %}}"
    if use.kind in ("operator", "escape"):
        return f"{use.kind} {use.name}"
    if use.kind == "test":
        return "" if use.name in TESTS else f"test {use.name!r}"
    if use.kind == "call":
        return "" if use.name in CALLS else f"function {use.name!r}"
    if use.kind == "method":
        lacks_count = use.name == "replace" and len(positional) > 2
        return "" if use.name in METHODS and not lacks_count else f"method {use.name!r}" + " with a count" * lacks_count
    if use.kind == "filter":
        if use.name == "format":
            return "format with % (it prints the pattern as it is)"
        if use.name not in FILTERS:
            return f"filter {use.name!r}"
        if use.name == "tojson" and named.get("sort_keys") not in (None, False):
            return "sort_keys in tojson"
        if use.name == "replace" and len(positional) > 2:
            return "count in replace"
        if use.name == "map" and isinstance(positional[0] if positional else None, str):
            return "map with a filter"
        at = SELECTING.get(use.name)
        if at is not None and len(positional) > at and isinstance(positional[at], str) and positional[at] not in TESTS:
            return f"test {positional[at]!r}"
    return ""


def _was_called(use: Use, called: set[tuple[str, int, str]]) -> bool:
    """Whether a probe came to this use of a filter or test."""
    if use.kind not in ("filter", "test"):
        return False
    count, named = len(use.detail["positional"]), " ".join(sorted(use.detail["named"]))
    return (use.name, count, named) in called


def _line(template: str, number: int) -> str:
    lines = template.split("\n")
    return lines[number - 1].strip() if 0 < number <= len(lines) else ""


RULE = EngineLacksFeature()
