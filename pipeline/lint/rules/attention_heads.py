from __future__ import annotations

from collections.abc import Iterable

from pipeline.gguf.values import Array
from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._base import Rule
from pipeline.lint.subject import Subject

WHOLE_HEAD = frozenset({"llama", "deci", "falcon", "llama-embed"})
"""Architectures whose rotary dimension must be the whole head (``load_hparams`` in ``llama-model.cpp``)."""


class AttentionHeads(Rule):
    """The numbers of attention heads don't fit each other or the model's width.

    The width of a head is the model's width divided by the number of heads unless the file gives it
    (`attention.key_length`), and key-value heads are shared evenly by the heads. Numbers that don't divide, or a rotary
    dimension wider than a head, make llama-server refuse the file ("invalid n_rot", "wrong shape").

    To mend it, set the keys as the publisher's `config.json` has them.
    """

    code = "A304"
    severity = Severity.ERROR

    def check(self, subject: Subject) -> Iterable[Finding]:
        prefix = subject.facts.architecture

        def number(key: str) -> int:
            value = subject.header.metadata.get(f"{prefix}.{key}")
            return value if isinstance(value, int) and not isinstance(value, bool) else 0

        width, heads, shared = (
            number("embedding_length"),
            number("attention.head_count"),
            subject.header.metadata.get(f"{prefix}.attention.head_count_kv"),
        )
        key_width, rotary = number("attention.key_length"), number("rope.dimension_count")
        fix = (
            "set the keys as the publisher's config.json has them (num_attention_heads, num_key_value_heads, head_dim)"
        )
        if not heads:
            return
        where = f"{prefix}.attention.head_count"
        if width and not key_width and width % heads:
            yield self.finding(
                f"{heads} heads don't divide the width of {width}",
                where=where,
                evidence=f"{prefix}.embedding_length is {width}, {where} is {heads}, no {prefix}.attention.key_length",
                fix=fix,
            )
        for each in sorted(set(shared)) if isinstance(shared, Array) else [shared]:
            if isinstance(each, int) and each and heads % each:
                yield self.finding(
                    f"{heads} heads can't share {each} key-value heads evenly: llama-server refuses the file",
                    where=f"{where}_kv",
                    evidence=f"{where} is {heads}, {where}_kv is {each}",
                    fix=fix,
                )
        head = key_width or (width // heads if width % heads == 0 else 0)
        if rotary and head and (rotary > head or (prefix in WHOLE_HEAD and rotary != head)):
            yield self.finding(
                f"the rotary dimension is {rotary}, a head has {head}: llama-server refuses the file",
                where=f"{prefix}.rope.dimension_count",
                evidence=f"{prefix}.rope.dimension_count is {rotary}, a head's width is {head}",
                fix=fix,
            )


RULE = AttentionHeads()
