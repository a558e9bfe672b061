from __future__ import annotations

from pathlib import Path

from pipeline.lint.model import Severity
from pipeline.lint.subject import Subject, subject_of
from tests import zoo
from tests.lint.subjects import chatml, findings, one, subject

KEY = f"{zoo.TEMPLATE}.tool_use"


def with_tools(path: Path, template: str, **more: str) -> Subject:
    target = path / "model.gguf"
    zoo.rewrite(target, {KEY: template, **{f"{zoo.TEMPLATE}.{name}": text for name, text in more.items()}})
    return subject_of(target, spec=zoo.spec())


def test_one_template_is_clean() -> None:
    assert findings("A122", subject()) == []


def test_the_same_twice_is_clean(tmp_path: Path) -> None:
    assert findings("A122", with_tools(tmp_path, chatml())) == []


def test_another_for_tools(tmp_path: Path) -> None:
    found = one("A122", with_tools(tmp_path, chatml() + "{# tools #}", rag="x"), Severity.INFO)
    assert found.where == KEY and "rag are never used" in found.message


def test_one_that_does_not_parse_is_left_out(tmp_path: Path) -> None:
    broken = with_tools(tmp_path, "{% if tools %}")
    assert "does not parse" in one("A122", broken, Severity.ERROR).message
    assert broken.renderings["tools"] == subject().renderings["tools"]


def test_both_are_taken_apart(tmp_path: Path) -> None:
    bad = "{# \u202e #}{% raw %}{% endraw %}{{ ''.__class__ if false }}"
    both = with_tools(tmp_path, bad + chatml())
    for code in ("A123", "A501", "A502"):
        assert one(code, both, Severity.ERROR).where.startswith(f"{KEY}:1:")
    assert "it is left out" in one("A123", both, Severity.ERROR).message
