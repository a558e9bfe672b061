from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._base import Rule
from pipeline.lint.subject import Subject


class LicenseNotAllowed(Rule):
    """The licence is missing, or is not one that the spec allows.

    Without a licence nobody may use the weights, whatever a web page says. A missing licence is a warning, and an
    error where the spec has a list of allowed ones, as unknown is never allowed.

    To mend it, look the licence up at the publisher and state it in the spec (`license.id`), or add it to
    `license.allow` on purpose.
    """

    code = "A401"
    severity = Severity.ERROR

    def check(self, subject: Subject) -> Iterable[Finding]:
        allowed = [name.lower() for name in subject.spec.license.allow] if subject.spec else []
        found = (subject.license_id or "").strip()
        if not found:
            yield self.finding(
                "no licence is known",
                where="general.license",
                evidence="neither the file nor the spec names one"
                + (f"; allowed: {', '.join(allowed)}" if allowed else ""),
                fix="look the licence up at the publisher and state it in the spec (license.id)",
                severity=Severity.ERROR if allowed else Severity.WARNING,
            )
        elif allowed and found.lower() not in allowed:
            yield self.finding(
                f"the licence {found!r} is not allowed",
                where="license.allow",
                evidence=f"licence {found!r}; allowed: {', '.join(allowed)}",
                fix="use another model, or add the licence to license.allow on purpose",
            )


RULE = LicenseNotAllowed()
