"""What holds of every source, whoever adds it."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from pipeline.core.errors import UsageError
from pipeline.core.kinds import discover
from pipeline.spec.sources import _base
from pipeline.spec.sources._base import Source, source_of

SOURCES = discover("pipeline.spec.sources")
HERE = Path(__file__).parent


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_has_the_interface_a_docstring_an_example_and_a_test(name: str) -> None:
    module = SOURCES[name]
    assert module.__doc__ and (HERE / f"test_{name}.py").is_file()
    assert module.EXAMPLE.partition(":")[0] in module.SCHEMES and isinstance(module.SCHEMES, tuple)
    for verb in ("check", "resolve", "open"):
        want = [*inspect.signature(getattr(_base.Source, verb)).parameters.values()][1:]
        have = [*inspect.signature(getattr(module, verb)).parameters.values()]
        assert [(p.name, p.kind, p.default) for p in have] == [(p.name, p.kind, p.default) for p in want]
        assert getattr(module, verb).__doc__


@pytest.mark.parametrize("name", SOURCES)
def test_its_example_is_right_and_found_by_its_scheme(name: str) -> None:
    source: Source = source_of(SOURCES[name].EXAMPLE)
    assert source is SOURCES[name]
    source.check(source.EXAMPLE)


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize(
    "rest",
    ["", "/", "..", "../..", "x\n", "a\0b", "//example.org/%00", "//[", "x/.."],
)
def test_its_check_raises_nothing_but_usage_errors(name: str, rest: str) -> None:
    for scheme in SOURCES[name].SCHEMES:
        try:
            SOURCES[name].check(f"{scheme}:{rest}")
        except UsageError as error:
            assert error.hint
        else:
            pytest.fail(f"{scheme}:{rest} was taken")


@pytest.mark.parametrize(
    ("reference", "hint"),
    [
        ("../x.gguf", "for a file, write file:../x.gguf"),
        ("gopher://x", "write for instance file:"),
        ("", "for a file, write file:"),
        (":x", "write for instance"),
    ],
)
def test_what_no_source_knows_is_refused_with_what_to_write(reference: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        source_of(reference)
    assert hint in caught.value.hint
