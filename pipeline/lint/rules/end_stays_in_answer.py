from __future__ import annotations

from pipeline.lint.evidence.grades import Grade
from pipeline.lint.model import Severity
from pipeline.lint.rules._played import PlayedRule


class EndStaysInAnswer(PlayedRule):
    """The text of the token that ends an answer stands in the answer.

    llama-server leaves special tokens out of what it sends, but keeps those that it takes for markers of this template, and
    for some templates it takes the end of a turn for one. Each answer that users see ends in something like `<|eot_id|>`.

    To mend it, name a template in the spec (`chat.template`) that the engine reads as it is meant; a newer engine may too.
    """

    code = "A702"
    severity = Severity.WARNING
    grades = (Grade.LEAK,)
    says = "what ends an answer stands in it"


RULE = EndStaysInAnswer()
