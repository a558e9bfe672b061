from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.model import Finding, Severity, Stage
from pipeline.lint.rules._base import Rule
from pipeline.lint.rules._engine import told
from pipeline.lint.rules.duplicate_token import RULE as DUPLICATE_TOKEN
from pipeline.lint.rules.key_types import RULE as KEY_TYPES
from pipeline.lint.rules.merges import RULE as MERGES
from pipeline.lint.rules.parallel_arrays import RULE as PARALLEL_ARRAYS
from pipeline.lint.rules.token_id_range import RULE as TOKEN_ID_RANGE
from pipeline.lint.rules.unknown_architecture import RULE as UNKNOWN_ARCHITECTURE
from pipeline.lint.rules.unknown_tokenizer import RULE as UNKNOWN_TOKENIZER
from pipeline.lint.subject import Subject

BEHIND = (
    *(UNKNOWN_TOKENIZER, MERGES, DUPLICATE_TOKEN, PARALLEL_ARRAYS),
    *(TOKEN_ID_RANGE, KEY_TYPES, UNKNOWN_ARCHITECTURE),
)


class EngineRefusesVocabulary(Rule):
    """llama.cpp does not load the file's vocabulary: it refuses it, or aborts.

    Judged by letting the engine itself load the vocabulary, without the weights. What it says is the evidence; where a
    rule on the header knows the cause (A207 to A211, A302, A309), that rule speaks and this one is silent.

    To mend it, convert the model again with a current llama.cpp, or use an engine that knows the file.
    """

    code = "A601"
    severity = Severity.ERROR
    stage = Stage.VOCABULARY

    def skip(self, subject: Subject) -> str:
        return told(subject, BEHIND) or subject.spoken.missing

    def check(self, subject: Subject) -> Iterable[Finding]:
        refusal = subject.spoken.refusal
        if refusal is None:
            return
        how = f"ends as it loads the vocabulary ({refusal.ending})" if refusal.ending else "refuses the vocabulary"
        yield self.finding(
            f"llama.cpp {how}",
            where="tokenizer.ggml.tokens",
            evidence="; ".join(_telling(refusal.log)) or "it gave no reason",
            fix="convert the model again with a current llama.cpp, or use an engine that knows the file",
        )


def _telling(log: Iterable[str]) -> list[str]:
    """Return the lines that say most, the last first: what an abort or an error says, not what the engine goes on to say
    of its own stack.
    """
    lines = [line for line in log if line.strip("* ")]
    loud = [line for line in lines if any(word in line for word in ("ASSERT", "error", "what()"))]
    return (loud or lines)[-1:-4:-1]


RULE = EngineRefusesVocabulary()
