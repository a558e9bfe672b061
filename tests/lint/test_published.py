"""Templates and vocabularies of real models, as llama.cpp's own source has them, where pip's or uv's cache holds it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.lint.engine import lint, rules
from pipeline.lint.model import Stage
from pipeline.lint.subject import subject_of
from pipeline.runtime.build import EngineBuild
from tests.lint.subjects import sound

MODELS = next(
    iter(sorted(Path.home().glob(".cache/uv/sdists-v*/pypi/llama-cpp-python/*/*/src/vendor/llama.cpp/models"))),
    Path("/nonexistent"),
)
pytestmark = pytest.mark.skipif(not MODELS.is_dir(), reason="llama.cpp's source is not in uv's cache")

TEMPLATES = {
    "unsloth-mistral-Devstral-Small-2507": {"A612"},
    "deepseek-ai-DeepSeek-R1-Distill-Llama-8B": {"A612"},
    "google-gemma-2-2b-it": set(),
    "meta-llama-Llama-3.1-8B-Instruct": set(),
    "openai-gpt-oss-120b": {"A612", "A617"},
    "Qwen-Qwen2.5-7B-Instruct": set(),
    "mistralai-Ministral-3-14B-Reasoning-2512": {"A617"},
}
"""Template -> what the real server makes of it beyond what its text shows."""


def asked(code: str) -> bool:
    """Whether a rule asks the server; not those on tokens, since templates meet a vocabulary here that is not theirs."""
    return rules()[code].stage is Stage.HOLLOW and code not in ("A619", "A620")


@pytest.mark.parametrize("name", TEMPLATES)
def test_what_the_server_makes_of_a_published_template(name: str, engine_build: EngineBuild) -> None:
    template = (MODELS / "templates" / f"{name}.jinja").read_text()
    subject = replace(sound(), template=template, engine=engine_build)
    assert {finding.code for finding in lint(subject, upto=Stage.HOLLOW) if asked(finding.code)} == TEMPLATES[name]


VOCABULARIES: dict[str, set[str]] = {"phi-3": set(), "llama-spm": set(), "qwen2": {"A603"}, "deepseek-coder": set()}


@pytest.mark.parametrize("name", VOCABULARIES)
def test_what_the_engine_makes_of_a_published_vocabulary(name: str, engine_build: EngineBuild) -> None:
    subject = subject_of(MODELS / f"ggml-vocab-{name}.gguf", engine=engine_build)
    found = {finding.code for finding in lint(subject, upto=Stage.HOLLOW)}
    assert {code for code in found if rules()[code].stage is not Stage.HEADER} == VOCABULARIES[name]
    assert subject.spoken.reading and subject.spoken.reading.size == len(subject.vocabulary)
    assert subject.served.up and subject.served.tokens["user"]


def test_an_encoder_is_read_but_not_served(engine_build: EngineBuild) -> None:
    subject = subject_of(MODELS / "ggml-vocab-bert-bge.gguf", engine=engine_build)
    assert subject.spoken.reading and "writes no text" in subject.served.missing
