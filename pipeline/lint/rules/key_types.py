from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline.gguf.types import ARRAY, STRING, UINT32
from pipeline.lint.model import Finding, Mend, Severity
from pipeline.lint.rules._base import Rule
from pipeline.lint.rules._mends import override
from pipeline.lint.rules.token_id_range import KEYS
from pipeline.lint.subject import Subject

UINT16, FLOAT32, BOOL = 2, 6, 7
NAMES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "bool", "string", "array"] + [
    "uint64",
    "int64",
    "float64",
]  # by their numbers in the format
FIXED: Mapping[str, int] = {
    **dict.fromkeys(KEYS, UINT32),
    "tokenizer.ggml.eos_token_id": UINT32,
    "tokenizer.ggml.eot_token_id": UINT32,
    "tokenizer.ggml.add_bos_token": BOOL,
    "tokenizer.ggml.add_eos_token": BOOL,
    "tokenizer.ggml.add_sep_token": BOOL,
    "tokenizer.ggml.add_space_prefix": BOOL,
    "tokenizer.ggml.tokens": ARRAY,
    "tokenizer.chat_template": STRING,
    "general.file_type": UINT32,
    "split.count": UINT16,
}
BY_ARCHITECTURE: Mapping[str, int] = {
    "context_length": UINT32,
    "embedding_length": UINT32,
    "block_count": UINT32,
    "attention.key_length": UINT32,
    "attention.value_length": UINT32,
    "attention.layer_norm_epsilon": FLOAT32,
    "attention.layer_norm_rms_epsilon": FLOAT32,
    "rope.dimension_count": UINT32,
    "rope.freq_base": FLOAT32,
    "rope.scaling.type": STRING,
    "rope.scaling.factor": FLOAT32,
    "rope.scaling.original_context_length": UINT32,
    "rope.scaling.finetuned": BOOL,
}


class KeyTypes(Rule):
    """A key has a value of another type than the engine reads.

    llama.cpp takes no number for another kind of number: a token id stored as int32, or a context length as uint64,
    ends the start with "key … has wrong type i32 but expected type u32", though its value is right. Scripts that write
    metadata without a converter make such files.

    To mend it, write the key again with the type that is wanted (gguf-py: `add_uint32`, `add_float32`, …).
    """

    code = "A302"
    severity = Severity.ERROR

    def check(self, subject: Subject) -> Iterable[Finding]:
        prefix = subject.facts.architecture
        wanted = {**FIXED, **{f"{prefix}.{key}": kind for key, kind in BY_ARCHITECTURE.items()}}
        for key, want in wanted.items():
            if key not in subject.header.metadata:
                continue
            kind = subject.header.spans[key][0]
            if kind != want:
                yield self.finding(
                    f"{key} is stored as {NAMES[kind]}, the engine reads {NAMES[want]}: llama-server refuses the file",
                    where=key,
                    evidence=f"{key} is {subject.header.metadata[key]!r} of type {NAMES[kind]}",
                    fix=f"write the key again as {NAMES[want]}",
                    mend=_as_wanted(key, subject.header.metadata[key]),
                )


def _as_wanted(key: str, value: object) -> Mend | None:
    """Return the mend that says a value of the tokenizer again: an override has the right type."""
    short = key.removeprefix("tokenizer.ggml.")
    return override(**{short: value}) if short != key and isinstance(value, (bool, int, str)) else None


RULE = KeyTypes()
