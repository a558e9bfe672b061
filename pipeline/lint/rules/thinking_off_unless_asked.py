from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._base import TemplateRule
from pipeline.lint.subject import Subject


class ThinkingOffUnlessAsked(TemplateRule):
    """Without `enable_thinking` the prompt is another one than with `enable_thinking: true`.

    llama-server always says one or the other: true if it finds that the template can think, else false. transformers
    and other engines leave it out unless asked. So the same request gets another prompt there, and a model that thinks
    on one server may not on the other.

    To mend it, set it for all: `chat_template_kwargs: {"enable_thinking": true}` in requests, or in the engine's
    parameters.
    """

    code = "A115"
    severity = Severity.INFO

    def check(self, subject: Subject) -> Iterable[Finding]:
        texts = [subject.renderings[name].text for name in ("user", "thinking-unset", "thinking-off")]
        on, unset, off = texts
        if on is None or unset is None or on == unset:
            return
        same = "that of false" if unset == off else "a third one"
        yield self.finding(
            f"without enable_thinking the prompt is not that of true: but {same}",
            where="chat_template",
            evidence=f"true ends with {on[-60:]!r}, unset with {unset[-60:]!r}",
            fix='say it in requests: chat_template_kwargs: {"enable_thinking": true} (or false)',
        )


RULE = ThinkingOffUnlessAsked()
