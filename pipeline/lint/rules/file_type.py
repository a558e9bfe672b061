from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pipeline.gguf.types import FILE_TYPES, TENSOR_TYPES_BY_NAME
from pipeline.lint.model import Finding, Severity
from pipeline.lint.rules._base import Rule
from pipeline.lint.subject import Subject

FLOATS = frozenset({"F32", "F16", "BF16", "F64"})
FALLBACKS = {"Q4_K": {"Q5_0"}, "Q5_K": {"Q5_1"}, "Q6_K": {"Q8_0"}, "Q2_K": {"Q4_0"}, "Q3_K": {"Q4_0"}}
"""What llama.cpp's quantizer takes where rows don't fit a type's blocks; ``IQ…`` fall back to IQ4_NL."""
NAMED = {"MXFP4_MOE": "MXFP4", "IQ2_M": "IQ2_S", "IQ3_M": "IQ3_S", "IQ3_XS": "IQ3_S"}


class FileType(Rule):
    """The file's weights are not of the type that the file says.

    `general.file_type` is what tools show as the quantization, and what a lock records. When a file says Q4_K_M and
    has no such weights, quality, speed and memory are not what was chosen. Mixtures are normal, and small models fall
    back to other types where rows don't fit; only a file with nothing of the named type, or with most of its bytes at
    a wholly different precision, is found.

    To mend it, take another file of the same publisher, or set `general.file_type` to what the weights are.
    """

    code = "A306"
    severity = Severity.WARNING

    def skip(self, subject: Subject) -> str:
        if (subject.header.metadata.get("split.count") or 1) != 1:
            return "the weights lie in several files"
        if subject.header.metadata.get("general.file_type") not in FILE_TYPES:
            return "the file doesn't say its type, or an unknown one"
        return "" if _bytes(subject).total() else "the file has no weights"

    def check(self, subject: Subject) -> Iterable[Finding]:
        said = FILE_TYPES[subject.header.metadata["general.file_type"]]
        weight = _bytes(subject)
        total, wanted = weight.total(), _fitting(said)
        floats = sum(nbytes for name, nbytes in weight.items() if name in FLOATS)
        top, most = weight.most_common(1)[0]
        if wanted & weight.keys() and (floats * 2 >= total if said in FLOATS else floats * 20 < total * 19):
            return
        shares = ", ".join(f"{name} {100 * nbytes / total:.0f} %" for name, nbytes in weight.most_common(4))
        yield self.finding(
            f"the file says it is {said}, but {100 * most / total:.0f} % of its weights' bytes are {top}",
            where="general.file_type",
            evidence=f"general.file_type is {subject.header.metadata['general.file_type']} ({said}); {shares}",
            fix="take another file, or set general.file_type to what the weights are",
        )


def _bytes(subject: Subject) -> Counter[str]:
    """Bytes by tensor type, of matrices: vectors stay F32 in every file."""
    weight: Counter[str] = Counter()
    for tensor in subject.tensors:
        if len(tensor.shape) > 1:
            weight[tensor.type] += tensor.nbytes
    return weight


def _fitting(said: str) -> set[str]:
    """The tensor types that a file of this type may be made of."""
    base = NAMED.get(said, said)
    while base.lower() not in TENSOR_TYPES_BY_NAME and "_" in base:
        base = base.rpartition("_")[0]
    return {base} | FALLBACKS.get(base, set()) | ({"IQ4_NL"} if base.startswith("IQ") else set())


RULE = FileType()
