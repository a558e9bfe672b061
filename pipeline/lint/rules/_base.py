"""What a rule is: a class with a code, a severity, a docstring that documents it, and ``check``. Each file here ends
in ``RULE = …``.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from pipeline.lint.model import Finding, Mend, Severity, Stage
from pipeline.lint.probes import PLAIN
from pipeline.lint.subject import Subject


class Rule(ABC):
    """One thing to judge. The docstring of a rule is its documentation: a one-line summary, what goes wrong, how to
    mend it.

    ``severity`` is the usual one; a finding may be milder or graver. ``stage`` is what it judges by.
    """

    code: ClassVar[str]
    severity: ClassVar[Severity]
    stage: ClassVar[Stage] = Stage.HEADER

    @property
    def slug(self) -> str:
        """The rule's name in words: its file's."""
        return Path(inspect.getfile(type(self))).stem.replace("_", "-")

    @property
    def summary(self) -> str:
        """The first line of the documentation."""
        return (inspect.getdoc(self) or "").split("\n")[0]

    def skip(self, subject: Subject) -> str:
        """Say why this subject can't be judged; "" when it can."""
        return ""

    @abstractmethod
    def check(self, subject: Subject) -> Iterable[Finding]:
        """Yield what is wrong with the subject."""

    def finding(
        self,
        message: str,
        *,
        fix: str,
        where: str = "",
        evidence: str = "",
        severity: Severity | None = None,
        mend: Mend | None = None,
    ) -> Finding:
        """Make a finding of this rule; ``evidence`` is cut to 200 characters."""
        return Finding(self.code, severity or self.severity, message, where, evidence[:200], fix, mend)


def without_template(subject: Subject) -> str:
    """Say why there is no chat template to judge; "" when there is one."""
    if subject.profile != "chat":
        return f"the profile is {subject.profile}: there are no chats"
    return "" if subject.template else "there is no chat template"


class TemplateRule(Rule):
    """A rule on how the chat template renders; it judges only templates that render a plain conversation."""

    def skip(self, subject: Subject) -> str:
        if reason := without_template(subject):
            return reason
        if any(subject.renderings[name].text is None for name in PLAIN):
            return "the chat template does not render a plain conversation"
        return ""
