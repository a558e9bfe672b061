"""The catalog's policy as a file: read strictly, off where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.errors import SpecError
from pipeline.core.project import Project
from pipeline.spec.load import spec_files
from pipeline.spec.policy import NO_POLICY, meant, read_policy

FULL = """\
mode: warn
license: {allow: [apache-2.0], required: true}
provenance: {sources: [hf, file], known: [published, spec]}
lint: warning
checks: [stop_tokens, {group: tool_calling, rate: 0.8}]
metrics:
  - {metric: bench.decode_tok_s, models: ["tiny-*"], limit: {min: 20}}
baseline:
  - {suite: general, worse_by: 0.02, items: 100}
exceptions:
  - {models: [old], rule: "lint*", owner: ada, reason: known and harmless, until: "2027-01-31"}
"""


def written(tmp_path: Path, text: str) -> Project:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "policy.yaml").write_text(text)
    return Project(tmp_path)


def test_a_policy_is_read_whole(tmp_path: Path) -> None:
    project = written(tmp_path, FULL)
    policy = read_policy(project)
    assert (policy.mode, policy.lint, policy.license.required) == ("warn", "warning", True)
    assert [group.group for group in policy.checks] == ["stop_tokens", "tool_calling"]
    assert policy.metrics[0].limit.min == 20
    assert (policy.baseline[0].inconclusive, policy.baseline[0].alpha) == ("unknown", 0.05)
    assert policy.exceptions[0].owner == "ada"
    assert policy.content()["provenance"] == {"sources": ["hf", "file"], "known": ["published", "spec"]}
    assert spec_files(project) == [], "it is no spec"


def test_without_a_file_it_is_off(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    assert read_policy(Project(tmp_path)) is NO_POLICY


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("mode: loud\n", 1),
        ("mode: warn\nlisence: {}\n", 2),
        ("exceptions:\n  - {models: [x], rule: 'lint*', owner: ada}\n", 2),
        ("exceptions:\n  - {models: [], rule: 'lint*', owner: ada, reason: because}\n", 2),
        ("baseline:\n  - {suite: s, alpha: 1}\n", 2),
    ],
)
def test_a_faulty_policy_says_where(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(SpecError) as caught:
        read_policy(written(tmp_path, text))
    assert caught.value.problems[0].line == line


def test_globs() -> None:
    assert meant(("*",), "anything")
    assert meant(("a", "tiny-*"), "tiny-chat")
    assert not meant(("tiny-*",), "Tiny-chat")
