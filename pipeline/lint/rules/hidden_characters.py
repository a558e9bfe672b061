from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._mends import retext
from pipeline.lint.rules._template import ScanRule, sources
from pipeline.lint.subject import Subject

DECEIVING = frozenset(range(0x202A, 0x202F)) | frozenset(range(0x2066, 0x206A)) | frozenset(range(0xE0000, 0xE0080))
INVISIBLE = frozenset({0x00AD, 0x180E, 0x200B, 0x200E, 0x200F, 0x2060, 0x2061, 0x2062, 0x2063, 0x2064, 0xFEFF})
BOM = 0xFEFF
CONTROLS = (frozenset(range(0x20)) | {0x7F} | frozenset(range(0x80, 0xA0))) - {0x09, 0x0A, 0x0D}


class HiddenCharacters(ScanRule):
    """The chat template holds characters that nobody can see.

    Tag characters and marks that turn the direction of text hide instructions from whoever reviews the template, while
    the model reads them: an error. Characters without width and control characters are a warning: mostly they come from
    copying, and they change how a marker is cut into tokens.

    To mend it, take them out; if they are meant, write them as an escape so that a reader sees them.
    """

    code = "A501"
    severity = Severity.ERROR

    def check(self, subject: Subject) -> Iterable[Finding]:
        for source in sources(subject):
            template = source.text
            for characters, severity in ((DECEIVING, Severity.ERROR), (INVISIBLE | CONTROLS, Severity.WARNING)):
                found = [at for at, character in enumerate(template) if ord(character) in characters]
                if not found:
                    continue
                first = found[0]
                code = ord(template[first])
                name = unicodedata.name(template[first], "a control character").lower()
                line, column = template.count("\n", 0, first) + 1, first - template.rfind("\n", 0, first)
                yield self.finding(
                    f"the chat template holds {len(found)} hidden characters, the first is U+{code:04X} ({name})",
                    where=f"{source.name}:{line}:{column}",
                    evidence=ascii(template[max(0, first - 40) : first + 40]),
                    fix="take them out, or write them as an escape",
                    mend=retext(subject, template[1:])
                    if found == [0] and code == BOM and template == subject.template
                    else None,
                    severity=severity,
                )


RULE = HiddenCharacters()
