from __future__ import annotations

from collections.abc import Iterable

from pipeline.gguf.types import TokenType
from pipeline.lint.model import Finding, Mend, Severity
from pipeline.lint.probes import ANSWER, OTHER_VALUE, RESULT, ROUNDS, SECOND, VALUE
from pipeline.lint.rules._base import TemplateRule
from pipeline.lint.rules._mends import opener, override
from pipeline.lint.subject import Subject

EOM = "tokenizer.ggml.eom_token_id"


class ToolCallEnd(TemplateRule):
    """After a tool call the chat template writes no token that ends an answer.

    Models learn to end a call the way the template ends it. Some use a token of its own for that (`<|eom_id|>` in
    Llama 3.1, `<|observation|>` in GLM); if the file doesn't name it, generation goes on after the call, and the model
    invents the tool's result or calls for ever (llama.cpp#8858, llama.cpp#14939, ollama#17192). Where answers in words
    end as they should, nobody sees it until the first call.

    To mend it, name the token that stands after the call as `tokenizer.ggml.eom_token_id`, or take the publisher's
    current template.
    """

    code = "A204"
    severity = Severity.WARNING

    def check(self, subject: Subject) -> Iterable[Finding]:
        ends = subject.vocabulary.ends
        plain = (subject.renderings["turns"].text or "").partition(ANSWER)[2].partition(SECOND)[0]
        if not any(end in plain for end in ends):
            return  # answers in words don't end either: A201 says so
        for name in ROUNDS:
            prompt = subject.renderings[name].text
            if prompt is None or RESULT not in prompt or VALUE not in prompt.split(RESULT, 1)[0]:
                continue
            after = prompt.split(RESULT, 1)[0].rsplit(VALUE, 1)[1]
            if not any(end in after for end in ends):
                yield self.finding(
                    "no token that ends an answer stands between a tool call and its result: calls run on",
                    where="chat_template",
                    evidence=f"after a call comes {after[:80]!r}; answers end at {', '.join(map(repr, sorted(ends)))}",
                    fix="name the token that ends a call as tokenizer.ggml.eom_token_id, or end the call's turn with "
                    "the token that ends other turns",
                    mend=_named(subject, after),
                )
            return


def _named(subject: Subject, after: str) -> Mend | None:
    """Return the mend that names the token behind a call, where it is the one control token before the next turn, and none
    that stands between two calls.
    """
    vocabulary, opens = subject.vocabulary, opener(subject)
    controls = {text for text, number in vocabulary.ids.items() if vocabulary.kind(number) is TokenType.CONTROL}
    places = sorted((after.index(text), -len(text), text) for text in controls if text and text in after)
    if EOM in subject.header.metadata or [text for _, _, text in places[1:2]] != [opens]:
        return None
    first = places[0][2]
    between = (subject.renderings["parallel"].text or "").partition(VALUE)[2].partition(OTHER_VALUE)[0]
    if first == opens or first in between:
        return None
    number = vocabulary.ids[first]
    return override(eom_token_id=number)


RULE = ToolCallEnd()
