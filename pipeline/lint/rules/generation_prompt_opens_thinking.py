from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._base import TemplateRule
from pipeline.lint.subject import Subject

OPEN, CLOSE = "<think>", "</think>"


class GenerationPromptOpensThinking(TemplateRule):
    """The prompt opens the model's thinking itself: it ends with `<think>`.

    The answer then begins within the thoughts, with no `<think>` of its own. llama-server knows that and splits it;
    whoever reads the raw text, or another engine, sees thoughts that end with a lone `</think>`. Where
    `enable_thinking: false` changes nothing, thinking can't be turned off. A warning when the prompt opens thinking
    twice.

    To mend it, nothing needs to be done if a server splits the thoughts (`reasoning_content`); leave room for them in
    `max_tokens`.
    """

    code = "A114"
    severity = Severity.INFO

    def check(self, subject: Subject) -> Iterable[Finding]:
        prompt = subject.renderings["user"].text or ""
        end = prompt[-200:]
        opened, closed = end.count(OPEN), end.count(CLOSE)
        if opened - closed < 1:
            return
        twice = prompt.rstrip().endswith(OPEN) and opened - closed > 1
        off = subject.renderings["thinking-off"].text
        forced = off is not None and off[-200:].count(OPEN) > off[-200:].count(CLOSE)
        yield self.finding(
            "the prompt opens thinking twice"
            if twice
            else "the prompt opens the model's thinking" + (", and enable_thinking: false does not stop it" * forced),
            where="chat_template",
            evidence=f"the prompt ends with {prompt[-60:]!r}",
            fix="leave one <think>" if twice else "leave room for thoughts in max_tokens; let the server split them",
            severity=Severity.WARNING if twice else Severity.INFO,
        )


RULE = GenerationPromptOpensThinking()
