from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from pipeline.core.digest import Digest
from pipeline.core.errors import UsageError
from pipeline.lint.engine import explain, lint, rules, rules_digest, skipped
from pipeline.lint.model import Severity
from pipeline.lint.rules._base import Rule
from tests import zoo
from tests.lint.subjects import subject


@pytest.mark.parametrize("rule", rules().values(), ids=lambda rule: rule.slug)
def test_every_rule_is_documented_and_tested(rule: Rule) -> None:
    doc = inspect.getdoc(rule) or ""
    assert re.fullmatch(r"A\d{3}", rule.code)
    assert rule.summary.endswith(".") and len(rule.summary) < 115
    assert doc.split("\n")[1] == "" and "To mend it, " in doc
    assert (Path(__file__).parent / "rules" / f"test_{rule.slug.replace('-', '_')}.py").is_file()


def test_each_rule_has_its_own_code_and_file() -> None:
    assert len(rules()) == len({rule.slug for rule in rules().values()}) >= 10
    assert list(rules()) == sorted(rules())


def test_the_worst_comes_first() -> None:
    found = lint(subject(template=None, license_id="gemma", tokenizer_pre="default"))
    assert [finding.code for finding in found] == ["A101", "A401", "A203"]
    assert [finding.severity for finding in found] == [Severity.ERROR, Severity.ERROR, Severity.WARNING]


def test_what_the_spec_ignores_is_left_out() -> None:
    ignoring = zoo.spec(lint={"ignore": [{"code": "A401", "reason": "bought a licence"}]})
    assert lint(subject(license_id="gemma")) != ()
    assert lint(subject(license_id="gemma", spec=ignoring)) == ()


def test_what_cannot_be_judged_is_said() -> None:
    reasons = skipped(subject(template=None, spec=zoo.spec(profile="completion")))
    assert set(reasons) >= {"A101", "A102", "A103", "A104", "A105", "A202", "A501"}
    assert not set(reasons) & {"A201", "A203", "A301", "A401"}
    assert all(reasons.values())


def test_explain() -> None:
    text = explain("a202")
    assert text.startswith("A202 double-bos (warning)\n\nBOS stands twice")
    with pytest.raises(UsageError, match="A999") as caught:
        explain("A999")
    assert "A101" in caught.value.hint


def test_rules_digest_is_stable() -> None:
    assert rules_digest() == rules_digest.__wrapped__()


def test_rules_digest_covers_what_rules_are_made_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of this package that rules import beside what reads specs and locks as values."""
    seen, of_file = list[str](), Digest.of_file

    def noted(path: Path) -> Digest:
        seen.append(path.as_posix())
        return of_file(path)

    monkeypatch.setattr(Digest, "of_file", noted)
    rules_digest.__wrapped__()
    for path in ("lint/render_child.py", "lock/clock.py", "spec/overrides.py", "spec/sources/_splits.py"):
        assert any(one.endswith(f"pipeline/{path}") for one in seen), path
