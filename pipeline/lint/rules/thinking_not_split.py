from __future__ import annotations

from pipeline.lint.evidence.grades import Grade
from pipeline.lint.evidence.scenes import Take
from pipeline.lint.model import Severity
from pipeline.lint.rules._played import PlayedRule


class ThinkingNotSplit(PlayedRule):
    """What the model thinks is not kept apart from its answer.

    A body that plays a script wrote a thought and an answer as the template shows them, or as the generation prompt begins
    them. llama-server left the thought, or the tags around it, in the content, or took the answer for thought. Users see the
    thinking, and programs that read the content fail.

    To mend it, name a template in the spec (`chat.template`) whose thinking the engine knows. Where the template only takes
    thoughts out of earlier turns, this is worth knowing: the model may not think at all.
    """

    code = "A707"
    severity = Severity.WARNING
    grades = (Grade.THINKING,)
    says = "thinking and answer are not kept apart"

    def is_mild(self, take: Take) -> bool:
        return take.scene.guessed


RULE = ThinkingNotSplit()
