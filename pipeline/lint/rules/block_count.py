from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import count

from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._base import Rule
from pipeline.lint.subject import Subject

BLOCK = re.compile(r"blk\.(\d+)\.")


class BlockCount(Rule):
    """The file says it has more or fewer layers than it holds.

    llama-server refuses such a file: "tensor 'blk.32.attn_norm.weight' not found" if layers are missing, "wrong number
    of tensors" if there are more than the file says. Pruned, merged and truncated models have this fault; so has a
    file of a split set that was taken for the whole.

    To mend it, fetch the file again; if it stays so, set `block_count` to the layers that are there, or tell the
    publisher.
    """

    code = "A305"
    severity = Severity.ERROR

    def skip(self, subject: Subject) -> str:
        if (subject.header.metadata.get("split.count") or 1) != 1 + len(subject.more):
            return "not all files of the set are here"
        return "" if _blocks(subject) else "the file has no layers"

    def check(self, subject: Subject) -> Iterable[Finding]:
        prefix, said, blocks = subject.facts.architecture, subject.facts.layers, _blocks(subject)
        if not said:
            return  # A303 says so
        extra = subject.header.metadata.get(f"{prefix}.nextn_predict_layers", 0)
        least = said - (extra if isinstance(extra, int) else 0)  # layers that predict further tokens may be left out
        missing = next(block for block in count() if block not in blocks)
        beyond = min((block for block in blocks if block >= said), default=None)
        if missing < least or beyond is not None:
            off = f"blk.{missing} is not there" if missing < least else f"blk.{beyond} lies beyond it"
            yield self.finding(
                f"the file says {said} layers and holds {len(blocks)}: llama-server refuses it",
                where=f"{prefix}.block_count",
                evidence=f"{prefix}.block_count is {said}; {off}",
                fix="fetch the file again; if it stays so, set the key to the layers that are there",
            )


def _blocks(subject: Subject) -> set[int]:
    found = (BLOCK.match(tensor.name) for tensor in subject.tensors)
    return {int(match[1]) for match in found if match}


RULE = BlockCount()
