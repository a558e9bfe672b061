"""Whatever bytes a header has, it is read or refused, in little memory; and what the engine refuses, we do not call sound."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.engine import Engine, engine
from tests.fuzz.headers import SMALL, files, judge
from tests.zoo import SOUND

HEAD = SOUND.read_bytes()[:60_000]


@pytest.fixture(scope="module")
def llama_cpp() -> Iterator[Engine]:
    with engine() as running:
        yield running


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 1 << 40))
def test_arbitrary_bytes_after_a_magic_that_is_right(rest: bytes, more: int) -> None:
    content = b"GGUF\3\0\0\0" + rest
    judge(content, len(content) + more)


@settings(max_examples=300, deadline=None)
@given(files(), st.integers(0, 64))
def test_files_that_are_nearly_sound(content: bytes, more: int) -> None:
    judge(content, len(content) + more)


@settings(max_examples=100, deadline=None)
@given(files())
def test_memory_stays_within_a_few_times_the_file(content: bytes) -> None:
    tracemalloc.start()
    try:
        judge(content, len(content))
        assert tracemalloc.get_traced_memory()[1] < 400_000 + 64 * len(content)
    finally:
        tracemalloc.stop()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=files())
def test_what_we_read_the_engine_reads(content: bytes, llama_cpp: Engine) -> None:
    if judge(content, len(content)) is not None:
        assert llama_cpp.reads(content)


@settings(max_examples=150, deadline=None)
@given(patches=st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.binary(min_size=1, max_size=8)), max_size=3))
def test_what_we_read_of_a_patched_file_the_engine_reads(patches: list[tuple[int, bytes]], llama_cpp: Engine) -> None:
    content = bytearray(SMALL)
    for at, raw in patches:
        content[at : at + len(raw)] = raw
    if judge(bytes(content), len(content)) is not None:
        assert llama_cpp.reads(bytes(content))


def test_the_engine_tells_sound_from_broken(llama_cpp: Engine) -> None:
    assert llama_cpp.reads(SMALL)
    assert not llama_cpp.reads(SMALL[:100]) and not llama_cpp.reads(b"GGUF" + SMALL)
    assert judge(HEAD, SOUND.stat().st_size) is not None
