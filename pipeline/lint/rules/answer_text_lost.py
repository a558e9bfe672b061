from __future__ import annotations

from pipeline.lint.evidence.grades import Grade
from pipeline.lint.model import Severity
from pipeline.lint.rules._played import PlayedRule


class AnswerTextLost(PlayedRule):
    """Text that the model wrote is not in the answer, or text is there that it did not write.

    A body that plays a script wrote an answer, or some words before a call, as the template shows such turns. What llama-server
    makes of it lacks words, or has more, or U+FFFD in place of letters that are several tokens. Users miss a part of what
    the model said.

    To mend it, name a template in the spec (`chat.template`) that the engine reads as it is meant.
    """

    code = "A706"
    severity = Severity.WARNING
    grades = (
        Grade.LOST,
        Grade.LETTERS,
    )
    says = "text of the answer is lost or added"
    mild = ("bare",)


RULE = AnswerTextLost()
