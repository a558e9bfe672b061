from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._template import ToolRule, asks_for_tools
from pipeline.lint.subject import Subject

SHAPES = {
    "bare-tool": "a tool without description and parameters",
    "undescribed": "a tool without description (llama-server fills one in)",
    "unparameterized": "a tool without parameters (llama-server fills them in)",
    "no-id": "a tool call without id",
    "long-id": "a tool call whose id is not of 9 characters",
    "rich-call": "a tool call with true, null and a list as arguments",
    "linked-schema": "a tool whose parameters have anyOf or $ref",
    "thought-call": "a tool call that comes with text and reasoning",
}


class ToolShape(ToolRule):
    """The chat template fails on a tool or a call that the API allows.

    Descriptions, parameters and ids of other lengths are the client's choice (llama-server makes ids of 32 letters
    itself). The request is answered with an error 500, often only in the second turn, when the call and its id come
    back. A warning where the spec asks for checks of tools, else an info.

    To mend it, test for what may be missing (`is defined`) before using it; or let the client send it always.
    """

    code = "A121"
    severity = Severity.WARNING

    def check(self, subject: Subject) -> Iterable[Finding]:
        severity = Severity.WARNING if asks_for_tools(subject) else Severity.INFO
        for probe, what in SHAPES.items():
            rendering = subject.renderings[probe]
            elsewhere = probe in ("undescribed", "unparameterized")
            if probe == "thought-call" and subject.renderings["preamble"].text is None:
                continue
            if rendering.text is None:
                yield self.finding(
                    f"the chat template fails on {what}: {rendering.error}",
                    where=rendering.where,
                    evidence=rendering.error,
                    fix="test for what may be missing before using it, or let the client send it always",
                    severity=Severity.INFO if elsewhere else severity,
                )


RULE = ToolShape()
