from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.evidence.vocabulary import Split
from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._base import without_template
from pipeline.lint.rules._engine import SpokenRule, named
from pipeline.lint.rules.marker_split import MATCHED, MENDED, markers
from pipeline.lint.rules.marker_split import RULE as MARKER_SPLIT
from pipeline.lint.rules.turn_end_read_otherwise import RULE as TURN_END
from pipeline.lint.subject import Subject


class MarkerReadOtherwise(SpokenRule):
    """A marker that stands in the prompt is a token of the vocabulary, but the engine does not read it as that token.

    llama.cpp looks for special tokens in a prompt one after the other, long texts first: a marker that is also a part of
    a longer token is never seen, and one that a tokenizer model cuts before it is looked for comes in pieces. The model
    sees a form of the conversation that it was not trained on. Judged by the engine's own split of prompts; where A205
    or A602 has found the cause, this rule is silent.

    To mend it, take the longer token out of the vocabulary or type it as ordinary text, or correct the template.
    """

    code = "A604"
    severity = Severity.ERROR
    behind = (MARKER_SPLIT, TURN_END)

    def skip(self, subject: Subject) -> str:
        if reason := without_template(subject) or super().skip(subject):
            return reason
        return "" if subject.spoken.prompts else "there is no prompt to split"

    def check(self, subject: Subject) -> Iterable[Finding]:
        ids = subject.vocabulary.ids
        for text in markers(subject):
            number = ids.get(text)
            if number is None or (text not in MENDED and subject.vocabulary.kind(number) not in MATCHED):
                continue
            for name, prompt in subject.spoken.prompts.items():
                written, read = prompt.text.count(text), prompt.tokens.count(number)
                if read < written:
                    yield self._finding(subject, text, number, (name, prompt), written - read)
                    break

    def _finding(self, subject: Subject, text: str, number: int, seen: tuple[str, Split], lost: int) -> Finding:
        name, prompt = seen
        special = subject.vocabulary.special
        longer = sorted(other for other in special if text in other and other != text and other in prompt.text)
        why = f"; {', '.join(map(repr, longer[:3]))} stands in its place" if longer else ""
        return self.finding(
            f"the chat template's marker {text!r} is read as something else {lost} times{why}",
            where="tokenizer.ggml.tokens",
            evidence=f"{number} is {text!r}; the prompt of {name} begins with {named(subject, prompt.tokens, 8)}",
            fix="take the longer token out of the vocabulary or type it as ordinary text, or correct the template",
        )


RULE = MarkerReadOtherwise()
