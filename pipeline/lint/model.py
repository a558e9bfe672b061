"""What lint finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is: ``error`` breaks answers, ``warning`` may, ``info`` is worth knowing."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """0 for info, 1 for warning, 2 for error."""
        return list(Severity).index(self)


@dataclass(frozen=True)
class Finding:
    """One fault.

    ``where`` is a metadata key, a template position (``chat_template:3:14``) or a spec position; ``evidence`` is the
    exact text, token or value seen; ``fix`` says what to change.
    """

    code: str
    severity: Severity
    message: str
    where: str = ""
    evidence: str = ""
    fix: str = ""
