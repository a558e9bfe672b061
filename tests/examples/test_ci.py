"""The examples for continuous integration: YAML that their readers take, and commands that are there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.test_readme import check_assay, words

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples" / "ci").glob("*.yml"))


def scripts(part: Any) -> Iterator[str]:
    """Yield every command line in a CI file: what stands under ``run``, ``script`` and the like."""
    if isinstance(part, list):
        for each in part:
            yield from scripts(each)
    elif isinstance(part, dict):
        for key, each in part.items():
            if key in ("run", "script", "before_script", "after_script", "entry"):
                yield from each.splitlines() if isinstance(each, str) else each
            else:
                yield from scripts(each)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_yaml_and_its_commands_exist(path: Path) -> None:
    lines = [line for line in scripts(yaml.safe_load(path.read_text())) if line.startswith("assay ")]
    for line in lines:
        check_assay(line, words(line)[1:])
    assert (
        "python3 assay/bootstrap.py assay --version" in path.read_text()
    )  # what it installs has the tools that tests need
    assert {"github": "clean: false", "gitlab": "-e .assay/"}[path.stem] in path.read_text()
    said = {" ".join(words(line)[:2]) for line in lines}
    assert {"assay lock", "assay lint", "assay fetch", "assay verify", "assay run", "assay report"} <= said


def test_the_hooks_are_commands_that_exist() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert {hook["id"] for hook in hooks} == {"assay-lock", "assay-lint"}
    for hook in hooks:
        assert {"name", "description", "entry", "language", "files"} <= hook.keys()
        check_assay(hook["entry"], words(hook["entry"])[1:])


def test_the_page_names_every_example() -> None:
    page = (ROOT / "docs" / "ci.md").read_text()
    assert len(EXAMPLES) == 2
    assert all(f"(../examples/ci/{path.name})" in page for path in EXAMPLES)
