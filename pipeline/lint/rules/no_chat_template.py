from __future__ import annotations

from collections.abc import Iterable

from pipeline.gguf.facts import TEMPLATE_KEY
from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._base import Rule
from pipeline.lint.subject import Subject

MARKERS = ("<|im_start|>", "<|start_header_id|>", "<start_of_turn>", "<|turn>", "[INST]", "<|user|>", "<｜User｜>")


class NoChatTemplate(Rule):
    """A chat model has no chat template.

    The engine then silently falls back to ChatML, which the model was most likely never trained on: answers run on,
    ignore the system turn, or print markers. Base models have no template by right; their profile is `completion`, and
    this rule leaves them alone. Where no spec says what a model is for, the finding is an `info`, and a warning if the
    vocabulary has tokens that only chats need.

    To mend it, name a template in the spec (`chat.template`), use a file that carries one, or set `profile:
    completion`.
    """

    code = "A101"
    severity = Severity.ERROR

    def skip(self, subject: Subject) -> str:
        other = subject.spec is not None and subject.spec.profile != "chat"
        return f"the profile is {subject.profile}: there are no chats" if other else ""

    def check(self, subject: Subject) -> Iterable[Finding]:
        if subject.template:
            return
        others, markers = subject.facts.template_names, [text for text in MARKERS if text in subject.vocabulary.special]
        seen = f"named templates only: {', '.join(others)}" if others else "the key is missing or empty"
        yield self.finding(
            "no chat template: in chats llama-server takes ChatML without a word, whatever the model was trained on",
            where=TEMPLATE_KEY,
            evidence=seen + (f"; the vocabulary has {', '.join(map(repr, markers[:3]))}" if markers else ""),
            fix="name the publisher's template in the spec (chat.template: FILE.jinja), or use a file that carries it; "
            "of a base model, which only completes text, say profile: completion",
            severity=Severity.ERROR if subject.spec else Severity.WARNING if markers else Severity.INFO,
        )


RULE = NoChatTemplate()
