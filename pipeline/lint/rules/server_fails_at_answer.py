from __future__ import annotations

from pipeline.lint.evidence.grades import Grade, grade
from pipeline.lint.evidence.scenes import Take
from pipeline.lint.model import Severity
from pipeline.lint.rules._played import PlayedRule
from pipeline.lint.subject import Subject


class ServerFailsAtAnswer(PlayedRule):
    """The server answers a request with an error, or dies, because of what the model writes.

    A body that plays a script wrote what the template shows of turns that are over, and llama-server said that it does not
    match what it expects: the request fails with status 500 after the whole answer was made, and nothing of it comes through.
    Or the server was gone, and everybody who talks to it loses the connection.

    To mend it, name a template in the spec (`chat.template`) that the engine reads as it is meant; a newer engine may read
    this one. A call as bare JSON, or with a marker of the template's own in it, is told as worth knowing.
    """

    code = "A709"
    severity = Severity.WARNING
    grades = (
        Grade.REFUSED,
        Grade.DIES,
    )
    says = "llama-server fails at what the model writes"
    mild = ("bare", "marked")

    def severity_of(self, subject: Subject, take: Take) -> Severity:
        """An error where no answer in words comes through at all: some templates show answers in one of two ways."""
        words = [other for other in subject.played.takes.values() if other.scene.whole and not other.scene.calls]
        some = any(grade(other) is None for other in words if other.scene.name != "bare")
        return Severity.ERROR if take.died or not (take.scene.calls or some) else Severity.WARNING


RULE = ServerFailsAtAnswer()
