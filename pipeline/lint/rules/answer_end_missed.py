from __future__ import annotations

from pipeline.lint.evidence.grades import Grade
from pipeline.lint.evidence.scenes import Take
from pipeline.lint.model import Severity
from pipeline.lint.rules import (
    end_of_message_token,
    end_token,
    text_ends_answers,
    tool_call_end,
    turn_end_read_otherwise,
)
from pipeline.lint.rules._played import PlayedRule
from pipeline.lint.subject import Subject


class AnswerEndMissed(PlayedRule):
    """The answer does not end where the template ends it: the engine goes on, or has stopped before.

    A body that plays a script wrote what the template shows of a turn that is over, to its last token, and then filler.
    llama-server answered with the filler too. So every answer, or every call, runs to its limit of tokens: the file does not
    name the token that ends it, or, where it does, what the engine reads from the template forbids it at that place. A line
    of plain words, without any token that ends an answer, must not end before the limit either.

    To mend it, name the token that ends answers as `tokenizer.ggml.eos_token_id` or `eot_token_id` (one that ends calls as
    `eom_token_id`) and give it the type 3 (control); or name another template in the spec (`chat.template`).
    """

    code = "A701"
    severity = Severity.ERROR
    grades = (
        Grade.ENDLESS,
        Grade.EARLY,
    )
    says = "the answer does not end where the template ends it"
    mild = ("flag", "marked")
    behind = (
        end_token.RULE,
        tool_call_end.RULE,
        end_of_message_token.RULE,
        turn_end_read_otherwise.RULE,
        text_ends_answers.RULE,
    )
    fix = "name the token as EOS, EOT or EOM of the vocabulary, or name a template in the spec that this engine reads"

    def severity_of(self, subject: Subject, take: Take) -> Severity:
        """Where the engine knows the token for an end, the file is not at fault."""
        reading = subject.spoken.reading
        ends = [subject.vocabulary.text(number) or "" for number in reading.ends] if reading else []
        return Severity.WARNING if any(text and take.scene.end.endswith(text) for text in ends) else Severity.ERROR


RULE = AnswerEndMissed()
