"""Subjects read from files that are made for a test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf

from pipeline.gguf.header import parse_header
from pipeline.lint.subject import Subject, subject_from, subject_of
from pipeline.runtime.build import EngineBuild
from tests import zoo
from tests.gguf import build

UINT32 = gguf.GGUFValueType.UINT32


def made(folder: Path, of: str | zoo.Make, **parts: Any) -> Subject:
    """The subject of a file with a defect of the zoo, or made otherwise; ``parts`` replace those of its spec."""
    make = zoo.DEFECTS[of].make if isinstance(of, str) else of
    make(folder / "made.gguf")
    return subject_of(folder / "made.gguf", spec=zoo.spec(**parts))


def asked(folder: Path, of: str | zoo.Make, engine: EngineBuild, **parts: Any) -> Subject:
    """The same with an engine to ask."""
    return replace(made(folder, of, **parts), engine=engine)


def number(value: int) -> zoo.Typed:
    """A number as the engine reads most."""
    return zoo.Typed(value, UINT32)


def tokens(*texts: bytes, model: str = "gpt2", more: tuple[bytes, ...] = ()) -> Subject:
    """A file that has a vocabulary and little else, written byte by byte."""
    pairs = (
        build.ARCHITECTURE,
        build.pair("tokenizer.ggml.model", build.STRING, build.text(model)),
        build.pair(
            "tokenizer.ggml.tokens",
            build.ARRAY,
            build.STRING.to_bytes(4, "little") + len(texts).to_bytes(8, "little") + b"".join(map(build.text, texts)),
        ),
        *more,
    )
    content = build.file(pairs)
    return subject_from(parse_header(content, len(content)))
