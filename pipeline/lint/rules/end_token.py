from __future__ import annotations

from collections.abc import Iterable

from pipeline.gguf.tokens import END_TEXTS
from pipeline.gguf.types import TokenType
from pipeline.lint.model import Finding, Mend, Severity
from pipeline.lint.probes import ANSWER, PLAIN, SECOND
from pipeline.lint.rules._base import Rule
from pipeline.lint.rules._mends import override, terminator
from pipeline.lint.subject import Subject

EOS, EOT = "tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"
SET_ID = "set the id of the token that ends a turn (engine.overrides in the spec), or take a file with the right one"


class EndToken(Rule):
    """The token that ends an answer is missing, is not a control token, or ends no turn of the chat template.

    Generation stops when the model emits a token that the engine takes for an end: those that the file names as EOS
    and EOT, and a few that llama.cpp knows by their text. If the template ends its turns with something else, answers
    run on until their length limit and the model plays both roles. If the token is typed as ordinary text, the
    template's marker is cut into pieces that the model never saw.

    To mend it, correct the ids (`engine.overrides` in the spec), or the token's type in the file (gguf-py's
    `gguf_set_metadata.py`), or take the publisher's current file.
    """

    code = "A201"
    severity = Severity.ERROR

    def check(self, subject: Subject) -> Iterable[Finding]:
        yield from self._declared(subject)
        if subject.profile == "chat" and subject.template:
            yield from self._produced(subject)

    def _declared(self, subject: Subject) -> Iterable[Finding]:
        facts, vocabulary = subject.facts, subject.vocabulary
        if facts.eos_id is None:
            assumed = vocabulary.assumed_eos
            taken = (
                f"; llama.cpp takes id {assumed}, {vocabulary.text(assumed) or 'no such token'!r}, for it"
                if assumed is not None
                else ""
            )
            yield self.finding(
                "the file names no EOS token",
                where=EOS,
                evidence=f"no such key{taken}",
                fix=SET_ID,
                mend=_named(subject, "eos_token_id"),
            )
        for key, number in ((EOS, facts.eos_id), (EOT, facts.eot_id)):
            if number is None or (key == EOT and number == facts.eos_id):
                continue
            text = vocabulary.text(number)
            if text is None:
                evidence = f"id {number}, vocabulary {len(vocabulary)}"
                yield self.finding(
                    f"{key} is {number}, but there is no such token",
                    where=key,
                    evidence=evidence,
                    fix=SET_ID,
                    mend=_named(subject, key.rpartition(".")[2]),
                )
            elif vocabulary.kind(number) is not TokenType.CONTROL:
                known = text in END_TEXTS
                yield self.finding(
                    f"{text!r} is named as the token that ends answers, but is not a control token: "
                    + (
                        "llama.cpp mends that, other programs don't"
                        if known
                        else "answers are cut off where it occurs, and run on where they should end"
                    ),
                    where=key,
                    evidence=f"id {number} {text!r} has the type {vocabulary.kind(number).name}",
                    fix=_right(subject, number),
                    severity=Severity.WARNING if known else Severity.ERROR,
                    mend=_named(subject, key.rpartition(".")[2], unless=number),
                )

    def _produced(self, subject: Subject) -> Iterable[Finding]:
        turns, answered = subject.renderings["turns"].text, subject.renderings["answered"].text
        if (
            any(subject.renderings[name].text is None for name in PLAIN)
            or turns is None
            or ANSWER not in turns
            or SECOND not in turns
        ):
            return
        tails = [turns.split(ANSWER, 1)[1].split(SECOND, 1)[0]]
        if answered is not None and ANSWER in answered:
            tails.append(answered.split(ANSWER, 1)[1])
        facts, ends = subject.facts, subject.vocabulary.ends
        named = {text for text in (facts.eos_token, facts.eot_token) if text}
        found = [end for end in (_first(tail, ends) for tail in tails) if end]
        after = f"after an answer comes {tails[-1]!r}"
        body = turns.removeprefix(facts.bos_token or "")
        if not found:
            yield self.finding(
                "no turn of the chat template ends with a token that ends an answer: answers run on",
                where="chat_template",
                evidence=f"{after}; answers end at {', '.join(map(repr, sorted(ends))) or 'nothing'}",
                fix="name the token that ends a turn as eot_token_id, or end the template's turns with the EOS token",
                mend=next(
                    (_named(subject, f"{role}_token_id") for role in ("eot", "eom") if _free(subject, role)), None
                ),
            )
        elif facts.eos_token and facts.eos_token in body and facts.eos_token not in found:
            start = max(0, turns.index(facts.eos_token, len(turns) - len(body)) - 20)
            yield self.finding(
                f"the EOS token {facts.eos_token!r} stands in the chat template, but not where an answer ends",
                where=EOS,
                evidence=f"the prompt has {turns[start : start + 60]!r}; {after}",
                fix=SET_ID,
                mend=_named(subject, "eos_token_id", unless=facts.eos_id),
            )
        elif named and not named & set(found):
            yield self.finding(
                f"turns end with {found[-1]!r}, which the file doesn't name: llama.cpp knows it by its text alone",
                where=EOT,
                evidence=f"EOS is {facts.eos_token!r}; {after}",
                fix=f"name {found[-1]!r} as eot_token_id",
                severity=Severity.INFO,
                mend=_named(subject, "eot_token_id") if _free(subject, "eot") else None,
            )


def _right(subject: Subject, wrong: int) -> str:
    """Say what to name instead: what ends the template's turns, where that is known."""
    found = terminator(subject) if subject.profile == "chat" else None
    if found is None or found[0] == wrong:
        return "give the right id, or set its tokenizer.ggml.token_type to 3 (control)"
    text = subject.vocabulary.text(found[0])
    return f"name the token that ends the chat template's turns, {text!r} (id {found[0]}), or take the publisher's file"


def _free(subject: Subject, role: str) -> bool:
    return f"tokenizer.ggml.{role}_token_id" not in subject.header.metadata


def _named(subject: Subject, key: str, unless: int | None = None) -> Mend | None:
    """Return the mend that names what ends the template's turns, where that is one special token and not ``unless``."""
    found = terminator(subject) if subject.profile == "chat" else None
    return override(**{key: found[0]}) if found and found[0] != unless else None


def _first(tail: str, ends: Iterable[str]) -> str:
    """Return the token that ends an answer first in what follows it, the longest of those that begin at one place; ""
    for none.
    """
    found = [(tail.index(text), -len(text), text) for text in ends if text in tail]
    return min(found)[2] if found else ""


RULE = EndToken()
