from __future__ import annotations

from collections.abc import Iterable

from pipeline.gguf.types import STRING
from pipeline.gguf.values import Array
from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._base import Rule
from pipeline.lint.rules.unknown_tokenizer import BPE
from pipeline.lint.subject import Subject

KEY = "tokenizer.ggml.merges"
SAMPLE = 2000
FIX = "convert the model again with its tokenizer.json or merges.txt at hand and a current llama.cpp"


class Merges(Rule):
    """A BPE vocabulary has no merges, or merges that are none.

    Merges say how letters grow into tokens. Without the key, llama-server refuses the file ("cannot find tokenizer
    merges in model file", unsloth#1065). With an empty list, or with entries that are not two pieces with a space
    between them, text stays in single letters: the model answers nonsense and no error is shown.

    To mend it, convert the model again with a current converter; a tokenizer file written by a newer library than the
    converter knows is the usual cause.
    """

    code = "A208"
    severity = Severity.ERROR

    def skip(self, subject: Subject) -> str:
        model = subject.facts.tokenizer_model
        return "" if model in BPE or model == "gemma4" else "only BPE vocabularies have merges"

    def check(self, subject: Subject) -> Iterable[Finding]:
        merges = subject.header.metadata.get(KEY)
        if merges is None:
            if subject.facts.tokenizer_pre != "kimi-k2":  # the one BPE vocabulary that is cut without merges
                yield self.finding(
                    "the BPE vocabulary has no merges: llama-server refuses the file",
                    where=KEY,
                    evidence=f"tokenizer.ggml.model is {subject.facts.tokenizer_model!r}, but there is no {KEY}",
                    fix=FIX,
                )
            return
        if not isinstance(merges, Array) or merges.kind != STRING or not len(merges):
            empty = isinstance(merges, Array) and not len(merges)
            yield self.finding(
                "the list of merges is empty: text stays in single letters"
                if empty
                else "the merges are no list of texts: llama-server refuses the file",
                where=KEY,
                evidence=f"{KEY} is {merges!r}",
                fix=FIX,
            )
            return
        step = -(-len(merges) // SAMPLE)
        looked = dict(zip(range(0, len(merges), step), merges[::step], strict=True))
        shapeless = [number for number, merge in looked.items() if merge.find(" ", 1) < 1 or merge[-1] == " "]
        if shapeless:
            first = shapeless[0]
            yield self.finding(
                f"{len(shapeless)} of {len(looked)} merges looked at are not two pieces with a space between them",
                where=KEY,
                evidence=f"merge {first} is {looked[first]!r}",
                fix=FIX,
            )
            return
        tokens = subject.vocabulary.ids
        strange = [number for number, merge in looked.items() if merge.replace(" ", "", 1) not in tokens]
        if len(strange) * 20 > len(looked):
            first = strange[0]
            yield self.finding(
                f"{len(strange)} of {len(looked)} merges looked at make texts that are no tokens: they belong to "
                "another vocabulary",
                where=KEY,
                evidence=f"merge {first} is {looked[first]!r}, but no token is {looked[first].replace(' ', '', 1)!r}",
                fix=FIX,
            )


RULE = Merges()
