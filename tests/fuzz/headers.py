"""Headers that chance makes, and what must hold for any of them."""

from __future__ import annotations

import struct
from math import prod
from typing import Any

from hypothesis import strategies as st

from pipeline.gguf.facts import facts_of
from pipeline.gguf.header import GgufError, Header, parse_header
from pipeline.gguf.tokens import Vocabulary
from pipeline.gguf.types import TENSOR_TYPES
from tests.gguf.build import ARCHITECTURE, ARRAY, STRING, UINT32, file, pair, strings, tensor, text

SMALL = file(
    [
        ARCHITECTURE,
        pair("llama.context_length", UINT32, b"\0\1\0\0"),
        pair("general.alignment", UINT32, b"\x20\0\0\0"),
        strings("tokenizer.ggml.tokens", ["a", "b", "<s>"]),
        pair("tokenizer.ggml.token_type", ARRAY, struct.pack("<IQ3i", 5, 3, 1, 1, 3)),
    ],
    [tensor("w", [32, 2], 8), tensor("v", [32], offset=96)],
    256,
)


def judge(content: bytes, size: int) -> Header | None:
    """Read a header as all of Assay does. Whatever the bytes are, there is a header whose parts can be read (returned), or
    a GgufError that says where (None); anything else is a fault.
    """
    try:
        header = parse_header(content, size)
        facts: Any = facts_of(header).summary()
    except GgufError as error:
        assert error.hint and 0 <= error.offset <= size
        return None
    assert isinstance(facts, dict)
    assert header.data_offset <= size or not header.tensors
    for key, value in header.metadata.items():
        assert repr(value) and header.raw(key)
        assert isinstance(value, str) or not hasattr(value, "__iter__") or len(list(value)) == len(value)
    vocabulary = Vocabulary(header)
    assert len(vocabulary.ends) >= 0 and vocabulary.special is not None and len(vocabulary.duplicates) >= 0
    return header


NAMES = st.sampled_from(
    "general.architecture general.alignment general.file_type llama.context_length llama.block_count split.count "
    "tokenizer.ggml.model tokenizer.ggml.tokens tokenizer.ggml.token_type tokenizer.ggml.merges tokenizer.ggml.eos_token_id "
    "tokenizer.chat_template a".split()
)
NUMBERS = st.sampled_from(
    [0, 1, 2, 3, 32, 33, 255, 1 << 16, 1 << 31, (1 << 31) - 1, 1 << 32, 1 << 62, 1 << 63, (1 << 64) - 1]
)
STRICT = ("general.architecture", "general.alignment")
BOOL, WIDTHS = 7, {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


@st.composite
def values(draw: st.DrawFn, wild: bool) -> tuple[int, bytes]:
    """The type of a value, and its bytes; if ``wild``, they may not fit each other."""
    kind = draw(st.sampled_from([*WIDTHS, STRING, STRING, ARRAY, ARRAY, *([13] if wild else [])]))
    if kind == STRING:
        return kind, text(draw(st.binary(max_size=12) | st.sampled_from([b"llama", b"gpt2", b"{{ messages }}"])))
    if kind == ARRAY:
        items = [*WIDTHS, STRING, STRING, *([ARRAY] if wild else [])]
        item, count = draw(st.sampled_from(items)), draw(st.integers(0, 6))
        if item == STRING:
            body = b"".join(text(draw(st.binary(max_size=6))) for _ in range(count))
        else:
            body = draw(st.binary(min_size=WIDTHS.get(item, 12) * count, max_size=WIDTHS.get(item, 12) * count))
        said = draw(st.just(count) | NUMBERS) if wild else count
        return kind, struct.pack("<IQ", item, said) + body
    width = WIDTHS.get(kind, 4)
    number = draw(NUMBERS | st.integers(0, 64)) % (2 if kind == BOOL and not wild else 1 << 8 * width)
    return kind, number.to_bytes(width, "little")


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A file whose parts are well formed; every second is ``wild``: something in it may not be."""
    wild, pairs = draw(st.booleans()), [ARCHITECTURE]
    for name in draw(
        st.lists(NAMES if wild else NAMES.filter(lambda name: name not in STRICT), max_size=6, unique=not wild)
    ):
        pairs.append(pair(name, *draw(values(wild))))
    tensors, offset = [], 0
    for number in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from([0, 0, 1, 2, 8, 12, *([31, 99] if wild else [])]))
        block = TENSOR_TYPES[kind].block if kind in TENSOR_TYPES else 1
        shape = [block * draw(st.integers(0, 3)), *draw(st.lists(st.integers(0, 4), max_size=3))]
        shape = draw(st.just(shape) | st.lists(NUMBERS, min_size=1, max_size=5)) if wild else shape
        said = draw(st.just(offset) | NUMBERS) if wild else offset
        tensors.append(tensor(f"t{number}", shape, kind, said % (1 << 64)))
        offset += -(-(TENSOR_TYPES[kind].size(prod(shape)) if kind in TENSOR_TYPES else 0) // 32) * 32
    content = bytearray(file(pairs, tensors, min(offset, 1 << 16)))
    for _ in range(draw(st.integers(0, 2)) if wild else 0):
        at = draw(st.integers(0, len(content) - 1))
        content[at : at + 1] = draw(st.binary(max_size=2))
    return bytes(content[: draw(st.just(len(content)) | st.integers(0, len(content)))] if wild else content)
