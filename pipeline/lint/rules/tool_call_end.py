from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.probes import ANSWER, RESULT, ROUNDS, SECOND, VALUE
from pipeline.lint.rules._base import TemplateRule
from pipeline.lint.subject import Subject


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
                )
            return


RULE = ToolCallEnd()
