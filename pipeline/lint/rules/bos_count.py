from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._engine import ServedRule, named
from pipeline.lint.rules.double_bos import RULE as DOUBLE_BOS
from pipeline.lint.rules.token_id_range import RULE as TOKEN_ID_RANGE
from pipeline.lint.rules.undefined_bos import RULE as UNDEFINED_BOS
from pipeline.lint.subject import Subject

BLANK = " \n\t\rĊĠĉč▁"
"""White space, as texts of tokens have it."""


class BosCount(ServedRule):
    """A prompt as llama-server splits it does not begin with exactly one BOS.

    Models are trained with one BOS, or with none. A second one, or none where the template or the tokenizer should give
    one, makes answers worse, and nothing says so. llama-server takes the template's BOS away where the tokenizer adds one,
    but only if it is the very first text of the prompt. Judged by the tokens that the real server makes of its own prompt.
    More than one is a warning; none is an error where the template writes BOS or the file says that it is added.

    To mend it, let either the template or `tokenizer.ggml.add_bos_token` give BOS, and nothing stand before it.
    """

    code = "A620"
    severity = Severity.WARNING
    behind = (DOUBLE_BOS, UNDEFINED_BOS, TOKEN_ID_RANGE)

    def skip(self, subject: Subject) -> str:
        if reason := super().skip(subject):
            return reason
        if subject.facts.bos_id is None:
            return "the file names no BOS token"
        return "" if subject.served.tokens.get("user") else "the server does not split its prompt"

    def check(self, subject: Subject) -> Iterable[Finding]:
        facts, tokens = subject.facts, subject.served.tokens["user"]
        prompt = (subject.renderings["user"].text or "").lstrip()
        writes = bool(facts.bos_token) and prompt.startswith(facts.bos_token or "")
        count = _leading(subject, tokens)
        if count == 1 or (count == 0 and not writes and not facts.adds_bos):
            return
        given = " and ".join(
            text
            for text, true in (("the template writes it", writes), ("the tokenizer adds it", facts.adds_bos))
            if true
        )
        yield self.finding(
            f"BOS stands {count} times in a prompt" if count else "a prompt has no BOS",
            where="tokenizer.ggml.add_bos_token",
            evidence=f"{given or 'nobody gives it'}; the prompt is read as {named(subject, tokens)}",
            fix="let either the template or add_bos_token give BOS, and let nothing stand before it",
            severity=Severity.WARNING if count else Severity.ERROR,
        )


def _leading(subject: Subject, tokens: tuple[int, ...]) -> int:
    """Count BOS before the first other text; some templates open every turn with it, which is no fault."""
    count = 0
    for number in tokens:
        if number == subject.facts.bos_id:
            count += 1
        elif (subject.vocabulary.text(number) or "").strip(BLANK):
            break
    return count


RULE = BosCount()
