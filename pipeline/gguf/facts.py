"""What a header says of its model, picked out and typed."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, fields
from typing import Any

from pipeline.core.digest import Digest
from pipeline.gguf.header import GgufError, Header
from pipeline.gguf.tokens import Vocabulary
from pipeline.gguf.types import FILE_TYPES
from pipeline.gguf.values import LENGTH, Array

TEMPLATE_KEY = "tokenizer.chat_template"
BOS_BY_PRE = frozenset(
    {"llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano"}
    | {"tekken", "chameleon", "gemma4"}
)
"""Pre-tokenizers with which llama.cpp adds BOS unless told otherwise (``llama-vocab.cpp``)."""


@dataclass(frozen=True)
class Facts:
    """The facts that a lock pins and that rules judge. None: the file doesn't say. ``context_length`` counts tokens,
    ``file_bytes`` bytes.
    """

    architecture: str
    name: str | None
    license: str | None
    size_label: str | None
    parameters: int
    quantization: str
    context_length: int | None
    layers: int | None
    embedding_length: int | None
    vocabulary: int
    tokenizer_model: str | None
    tokenizer_pre: str | None
    bos_id: int | None
    bos_token: str | None
    eos_id: int | None
    eos_token: str | None
    eot_id: int | None
    eot_token: str | None
    add_bos: bool | None
    template_names: tuple[str, ...]
    chat_template: str | None
    template_digest: Digest | None
    kv_digest: Digest
    tensor_count: int
    shards: int
    file_bytes: int
    gguf_version: int

    @property
    def adds_bos(self) -> bool:
        """Whether the engine puts BOS before a prompt: as the file says, else llama.cpp's default here."""
        if self.tokenizer_pre == "gemma4" or self.tokenizer_model == "gemma4":
            return True
        if self.add_bos is not None:
            return self.add_bos
        return self.tokenizer_model in ("llama", "bert") or (
            self.tokenizer_model == "gpt2" and self.tokenizer_pre in BOS_BY_PRE
        )

    def summary(self) -> dict[str, Any]:
        """Return the facts as plain JSON, digests as text, without the template's text."""
        content: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name != "chat_template":
                content[item.name] = (
                    str(value) if isinstance(value, Digest) else list(value) if isinstance(value, tuple) else value
                )
        return content


def facts_of(header: Header, *more: Header) -> Facts:
    """Pick the facts out of a header; ``more`` are those of a split set's further files, in order. Raises GgufError when a key has a
    type that it can't have, or the files are no set.
    """
    _must_be_a_set(header, more)
    metadata, vocabulary = header.metadata, Vocabulary(header)
    architecture = _string(header, "general.architecture")
    if not architecture:
        raise GgufError(
            "general.architecture is missing: no engine can load this file",
            hint="convert the model again with a current llama.cpp",
        )
    template, parts = _string(header, TEMPLATE_KEY), (header, *more)
    ids = {role: _count(header, f"tokenizer.ggml.{role}_token_id") for role in ("bos", "eos", "eot")}
    add_bos = metadata.get("tokenizer.ggml.add_bos_token")
    return Facts(
        architecture=architecture,
        name=_string(header, "general.name"),
        license=_string(header, "general.license"),
        size_label=_string(header, "general.size_label"),
        parameters=sum(tensor.elements for part in parts for tensor in part.tensors),
        quantization=_quantization(parts),
        context_length=_count(header, f"{architecture}.context_length"),
        layers=_count(header, f"{architecture}.block_count"),
        embedding_length=_count(header, f"{architecture}.embedding_length"),
        vocabulary=len(vocabulary) or _count(header, f"{architecture}.vocab_size") or 0,
        tokenizer_model=_string(header, "tokenizer.ggml.model"),
        tokenizer_pre=_string(header, "tokenizer.ggml.pre"),
        bos_id=ids["bos"],
        bos_token=vocabulary.text(ids["bos"]),
        eos_id=ids["eos"],
        eos_token=vocabulary.text(ids["eos"]),
        eot_id=ids["eot"],
        eot_token=vocabulary.text(ids["eot"]),
        add_bos=add_bos if isinstance(add_bos, bool) else None,
        template_names=tuple(
            sorted(key.removeprefix(TEMPLATE_KEY + ".") for key in metadata if key.startswith(TEMPLATE_KEY + "."))
        ),
        chat_template=template,
        template_digest=None if template is None else Digest.of(template.encode()),
        kv_digest=_kv_digest(header),
        tensor_count=sum(len(part.tensors) for part in parts),
        shards=_count(header, "split.count") or 1,
        file_bytes=sum(part.size for part in parts),
        gguf_version=header.version,
    )


def _kv_digest(header: Header) -> Digest:
    """Hash all metadata but the chat template: keys sorted; each key and value as stored, its length before it."""
    hasher = hashlib.sha256()
    for key in sorted(set(header.metadata) - {TEMPLATE_KEY}):
        name, value = key.encode(), header.raw(key)
        for part in (name, value):
            hasher.update(LENGTH.pack(len(part)) + part)
    return Digest(hasher.hexdigest())


def _must_be_a_set(header: Header, more: tuple[Header, ...]) -> None:
    """Refuse files of one name pattern that are not of one set."""
    if not more:
        return
    count = 1 + len(more)
    for number, part in enumerate((header, *more)):
        said = (_count(part, "split.no"), _count(part, "split.count"))
        if said != (number, count):
            raise GgufError(
                f"file {number + 1} of {count} says split.no {said[0]} and split.count {said[1]}",
                hint="the files are not of one set, or renamed",
            )
    names = [tensor.name for part in (header, *more) for tensor in part.tensors]
    if len(set(names)) != len(names):
        raise GgufError("two files of the set hold the same tensor", hint="the files are not of one set")


def _quantization(parts: tuple[Header, ...]) -> str:
    """Name the quantization as ``general.file_type`` does; where it doesn't, the tensor type that most bytes have."""
    header = parts[0]
    named = FILE_TYPES.get(_count(header, "general.file_type") or 0) if "general.file_type" in header.metadata else None
    weight: Counter[str] = Counter()
    for part in parts:
        for tensor in part.tensors:
            weight[tensor.type] += tensor.nbytes
    return named or (weight.most_common(1)[0][0] if weight else "none")


def _typed(header: Header, key: str, want: str, fits: bool) -> Any:
    value = header.metadata.get(key)
    if value is None or fits:
        return value
    shown = "an array" if isinstance(value, Array) else repr(value)[:40]
    raise GgufError(f"{key} is {shown}, want {want}", offset=header.spans[key][1])


def _string(header: Header, key: str) -> str | None:
    value = _typed(header, key, "a string", isinstance(header.metadata.get(key), str))
    return None if value is None else str(value)


def _count(header: Header, key: str) -> int | None:
    found = header.metadata.get(key)
    value = _typed(
        header,
        key,
        "a whole number, not negative",
        isinstance(found, int) and not isinstance(found, bool) and found >= 0,
    )
    return None if value is None else int(value)
