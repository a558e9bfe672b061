from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib import invalidate_caches
from pathlib import Path
from typing import Any

import pytest

from pipeline.checks.assertions._base import assertions
from pipeline.core import plugins as module
from pipeline.core.errors import UsageError
from pipeline.core.plugins import ASSERTIONS, EVAL_KINDS, Kinds, plugins
from pipeline.evals.suite import kinds
from pipeline.spec.suite import plugins_of
from tests.plugin import install

Install = Callable[..., Path]


def forget() -> None:
    """Let what is installed be looked for again, as in a new process."""
    for cached in (plugins, module._installed, kinds, assertions):
        cached.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "acme_checks"]:
        del sys.modules[name]
    invalidate_caches()


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install the package into a folder on the path; returns it."""
    monkeypatch.syspath_prepend(tmp_path / "site")

    def again(version: str = "1.2.0", **files: str) -> Path:
        folder = install(tmp_path / "site", version, **files)
        forget()
        return folder

    forget()
    yield again
    monkeypatch.undo()
    forget()


def test_a_package_adds_an_assertion_and_a_kind(installed: Install) -> None:
    own = len(assertions()), len(kinds())
    installed()
    assert str(plugins(ASSERTIONS)["polite"]) == "acme-checks 1.2.0"
    assert (len(assertions()), len(kinds())) == (own[0] + 1, own[1] + 1)
    assert "polite" in assertions() and list(kinds()) == sorted(kinds())
    assert "acme_checks" not in sys.modules  # not before somebody takes one
    assert kinds()["letters"].NEEDS == "scorer"
    assert "acme_checks.letters" in sys.modules and "acme_checks.polite" not in sys.modules


def test_what_can_not_be_imported_names_its_package(installed: Install) -> None:
    installed(polite="import nothing_of_that_name\n")
    assert len(assertions()["finish"].__doc__ or "") > 0
    with pytest.raises(
        UsageError, match=r"acme-checks 1.2.0: acme_checks.polite can't be imported: ModuleNotFoundError"
    ):
        assertions()["polite"]


def test_what_lacks_a_member_is_refused(installed: Install) -> None:
    installed(letters="Config = object\nEXAMPLE = {}\n")
    with pytest.raises(UsageError, match=r"acme_checks.letters has no NEEDS, load, measure"):
        kinds()["letters"]


def test_names_of_assay_can_not_be_taken(installed: Install) -> None:
    folder = installed()
    (folder / "acme_checks-1.2.0.dist-info" / "entry_points.txt").write_text(
        "[assay.assertions]\nfinish = acme_checks.polite\n"
    )
    forget()
    with pytest.raises(
        UsageError, match=r"acme-checks 1.2.0 offers 'finish' in assay.assertions, which Assay has itself"
    ):
        assertions()


def test_two_packages_can_not_offer_the_same(installed: Install) -> None:
    folder = installed()
    other = folder / "other_checks-3.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: other-checks\nVersion: 3\n")
    (other / "entry_points.txt").write_text("[assay.assertions]\npolite = other_checks\n")
    forget()
    with pytest.raises(UsageError, match=r"two packages offer 'polite' in assay.assertions: .* and "):
        plugins(ASSERTIONS)


def test_a_suite_names_what_it_uses_of_others(installed: Install, tmp_path: Path) -> None:
    suite = tmp_path / "suite.yaml"
    suite.write_text(
        "kind: behaviour\nexpect: {finish: stop}\ncases:\n- {turns: [{user: hi, expect: {polite: true}}]}\n"
    )
    assert plugins_of(suite) == {}  # nothing is installed
    installed()
    assert plugins_of(suite) == {"polite": plugins(ASSERTIONS)["polite"].pinned}
    suite.write_text("kind: letters\nletters: polite\n")
    assert plugins_of(suite)["letters"].startswith("acme-checks 1.2.0, code ")
    suite.write_text("kind: behaviour\nexpect: {finish: stop}\nabout: {polite: no assertion here}\n")
    assert plugins_of(suite) == {}
    installed("2.0")
    suite.write_text("kind: letters\n")
    assert plugins_of(suite)["letters"].startswith("acme-checks 2.0, code ")
    assert "acme_checks" not in sys.modules


def test_code_that_changes_under_one_version_is_another_code(installed: Install) -> None:
    folder = installed()
    first = plugins(ASSERTIONS)["polite"].pinned
    installed()
    assert plugins(ASSERTIONS)["polite"].pinned == first
    (folder / "acme_checks" / "__init__.py").write_text("LEVEL = 2\n")
    forget()
    second = plugins(ASSERTIONS)["polite"].pinned
    assert second != first and second.startswith("acme-checks 1.2.0, code ")


def test_a_plugin_that_fails_is_named_and_no_bug_of_ours(installed: Install) -> None:
    installed(
        polite='"""Polite."""\nArgument = bool\nEXAMPLE = True\ndef judge(seen, argument):\n    return seen["no"]\n'
    )
    judge: Any = assertions()["polite"].judge
    with pytest.raises(
        UsageError, match=r"^acme-checks 1.2.0: judge of acme_checks.polite failed: KeyError: 'no'"
    ) as told:
        judge({}, True)
    assert "polite.py:5" in str(told.value) and "acme-checks" in told.value.hint
    assert assertions()["polite"].__doc__ == "Polite."


def test_kinds_of_ours_come_without_any_package() -> None:
    found = Kinds({"b": 1, "a": 2}, "assay.nothing", ())
    assert (list(found), found["b"], len(found), found.get("c")) == (["a", "b"], 1, 2, None)
    assert EVAL_KINDS == "assay.eval_kinds"
