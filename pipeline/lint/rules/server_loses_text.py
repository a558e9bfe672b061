from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipeline.lint.model import Finding, Severity
from pipeline.lint.probes import (
    ANSWER,
    ARGUMENT,
    OTHER_RESULT,
    OTHER_VALUE,
    PREAMBLE,
    RESULT,
    ROUNDS,
    SECOND,
    SYSTEM,
    TOOL,
    USER,
    VALUE,
)
from pipeline.lint.rules._engine import OTHERWISE, SHAPES, ServedRule, both, severity_of, without
from pipeline.lint.subject import Subject

WORDS = {
    SYSTEM: "the system turn",
    USER: "the user's first message",
    ANSWER: "the assistant's answer",
    SECOND: "the user's second message",
    PREAMBLE: "what the assistant said before a call",
    TOOL: "the name of the tool",
    ARGUMENT: "the name of an argument",
    VALUE: "the argument of a call",
    OTHER_VALUE: "an argument of a call",
    RESULT: "the result of a call",
    OTHER_RESULT: "the result of the second call",
}
RARE = ("rich-call", "thought-call", "no-id", "long-id")


class ServerLosesText(ServedRule):
    """Text of the conversation is not in the prompt that llama-server makes, although the template writes it.

    llama-server takes some templates for those of a model family that they only resemble and rewrites messages for
    it, and its Jinja drops what a template writes before `continue`. So an answer that comes with reasoning
    (Devstral), the system turn (EXAONE 4), or a call whose content is empty (templates of DeepSeek R1) reaches the
    template, and not the model. Judged by prompts that the real server makes, against those of the same template in
    jinja2. An error; where only requests with tools lose text, a warning unless the spec asks for checks of tools, and a
    warning for rarer shapes of calls.

    To mend it, write the template so that this engine renders it and name it in the spec (`chat.template`), or use another
    engine.
    """

    code = "A612"
    severity = Severity.ERROR

    def check(self, subject: Subject) -> Iterable[Finding]:
        found = list(_lost(subject))
        if not found:
            return
        found.sort(key=lambda item: -_severity(subject, item[0]).rank)
        name, words, ours, theirs = found[0]
        others = sorted({other for other, *_ in found[1:]} - {name})
        also = f" (also in: {', '.join(others)})" if others else ""
        yield self.finding(
            f"llama-server loses {' and '.join(WORDS[word] for word in words)} in the conversation {name!r}{also}",
            where="chat_template",
            evidence=f"the template writes {ours!r}, the server {theirs!r}",
            fix=OTHERWISE,
            severity=_severity(subject, name),
        )


def _severity(subject: Subject, name: str) -> Severity:
    return Severity.WARNING if name in RARE else severity_of(subject, name)


def _lost(subject: Subject) -> Iterator[tuple[str, list[str], str, str]]:
    """Yield the conversations that lose words: name, words, and both prompts where they begin to differ."""
    for name, ours, theirs in both(subject):
        words = [word for word in WORDS if word in ours and word not in theirs]
        if words:
            yield name, words, *without(words[0], ours, theirs)
    rendered = [text for name in ROUNDS if (text := subject.renderings[name].text) is not None]
    for name in SHAPES:
        prompt = subject.served.text(name)
        lost = [word for word in (TOOL, VALUE, RESULT) if prompt is not None and word not in prompt]
        whole = next((ours for ours in rendered if lost and all(word in ours for word in lost)), None)
        if prompt is not None and whole is not None:
            yield name, lost, *without(lost[0], whole, prompt)


RULE = ServerLosesText()
