"""Chat templates that read the clock: tell them, and make their day stand still.

A template gets at the time in two ways: it calls ``strftime_now(format)``, or it reads ``date_string`` and ``datetime``,
which llama-server fills in from its clock. llama-server has no option that sets either, so the text is changed: each
call becomes the text that it would give on the day, and the variables are set at the head. Pure: the same template and
day give the same bytes.
"""

from __future__ import annotations

import re
from datetime import datetime

from pipeline.core.errors import UsageError

_OPEN, _CLOSE = re.compile(r"\{[{%]"), re.compile(r"[}%]\}")
# A text that is not closed ends with the code, so that no template takes long to look through.
_TEXT = re.compile(r"'(?:[^'\\]|\\.)*(?:'|\\?\Z)|\"(?:[^\"\\]|\\.)*(?:\"|\\?\Z)", re.DOTALL)
_CALL = re.compile(r"(?<![\w.])strftime_now\s*\(\s*(?P<text>'[^'\\]*'|\"[^\"\\]*\")\s*\)")
_ASKED = re.compile(r"(?<![\w.])strftime_now\s+is\s+(?:not\s+)?defined")
_NOW = re.compile(r"(?<![\w.])strftime_now\b")
_FILLED = {"date_string": "%d %b %Y", "datetime": "%b %d %Y"}
"""What llama-server fills in from the clock, and how it writes it (``common/chat.cpp``)."""


def reads_clock(template: str) -> bool:
    """Tell whether a template may give another prompt on another day."""
    code = _bare(template)
    return bool(_NOW.search(_ASKED.sub("", code))) or any(_reads(code, name) for name in _FILLED)


def _bare(template: str) -> str:
    """Return a template's code without the texts in it."""
    return " ".join(_TEXT.sub("''", code) for code in _pieces(template)[1::2])


def _pieces(template: str) -> list[str]:
    """Cut a template into text and code by turns, text first."""
    pieces, at = list[str](), 0
    while (begin := _OPEN.search(template, at)) and (end := _CLOSE.search(template, begin.end())):
        pieces += [template[at : begin.start()], template[begin.start() : end.end()]]
        at = end.end()
    return [*pieces, template[at:]]


def _reads(code: str, name: str) -> bool:
    return re.search(rf"(?<![\w.]){name}\b", code) is not None


def pinned(template: str, day: str) -> str:
    """Return a template for which it is always the start of ``day`` (``2026-11-21``); the same where it reads no clock.

    Raises UsageError for one that asks for the time in a form that it makes up as it goes.
    """
    if not reads_clock(template):
        return template
    moment = datetime.fromisoformat(day)
    pieces = _pieces(template)
    pieces[1::2] = [_CALL.sub(lambda call: _constant(moment, call["text"]), code) for code in pieces[1::2]]
    text = "".join(pieces)
    left = _bare(text)
    if _NOW.search(_ASKED.sub("", left)):
        said = "the chat template asks for the time in a form that is no plain text, so its day can't be pinned"
        raise UsageError(said, hint="write a template that holds the date, and name it in chat.template")
    # A statement swallows the line end behind it: each brings its own, and the template's first stays.
    head = [
        f"{{%- set {name} = {_quoted(moment.strftime(form))} %}}\n"
        for name, form in _FILLED.items()
        if _reads(left, name)
    ]
    return "".join(head) + text


def _constant(moment: datetime, text: str) -> str:
    return _quoted(moment.strftime(text[1:-1]))


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
