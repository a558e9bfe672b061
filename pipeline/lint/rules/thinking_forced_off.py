from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._engine import ServedRule, apart
from pipeline.lint.subject import Subject


class ThinkingForcedOff(ServedRule):
    """llama-server turns the model's thinking off by itself.

    The server looks at the template to learn whether the model can think. Where it finds that it can't, it renders every
    prompt with `enable_thinking: false`, not without the variable: a template that knows the variable then closes the
    thinking (`<think></think>`) before the answer begins, and the model answers without. Nobody asked for that. Some
    models of MiniCPM, Hunyuan, LongCat and others are met so.

    To mend it, say it in requests: `chat_template_kwargs: {"enable_thinking": true}`.
    """

    code = "A615"
    severity = Severity.WARNING

    def skip(self, subject: Subject) -> str:
        if reason := super().skip(subject):
            return reason
        names = ("as-served", "user", "thinking-off")
        return "" if all(subject.served.text(name) for name in names) else "the server does not render a plain request"

    def check(self, subject: Subject) -> Iterable[Finding]:
        served, on, off = (subject.served.text(name) or "" for name in ("as-served", "user", "thinking-off"))
        unset = subject.renderings["thinking-unset"].text
        if on == off or served != off or (unset is not None and unset == subject.renderings["thinking-off"].text):
            return
        asked, given = apart(on, served)
        yield self.finding(
            "llama-server takes the model for one that can't think and renders enable_thinking: false",
            where="chat_template",
            evidence=f"with enable_thinking the prompt has {asked!r}, a request that says nothing gets {given!r}",
            fix='say it in requests: chat_template_kwargs: {"enable_thinking": true}',
        )


RULE = ThinkingForcedOff()
