"""A package of somebody else, installed: an assertion ``polite`` and a kind of eval ``letters``."""

from __future__ import annotations

from pathlib import Path

ENTRY_POINTS = """\
[assay.assertions]
polite = acme_checks.polite

[assay.eval_kinds]
letters = acme_checks.letters
"""
POLITE = '''\
"""The answer holds no rude word."""
from typing import Literal

from pipeline.checks.diagnose import Fault

Argument = Literal[True]
EXAMPLE = True
RUDE = ("stupid",)


def judge(seen, argument):
    said = [word for word in RUDE if word in seen.answer.content.lower()]
    return Fault("text", f"the answer says {said[0]}") if said else None
'''
LETTERS = '''\
"""How likely is one letter after another?"""
from typing import Literal

from pipeline.evals.kinds._base import Suite, Text
from pipeline.evals.model import Item, Metric

NEEDS = "scorer"
EXAMPLE = {"kind": "letters", "version": "1", "license": "CC0-1.0", "source": "s", "description": "d", "letters": "ab"}


class Config(Suite):
    """``letters`` are scored one after the other."""

    kind: Literal["letters"]
    letters: Text


def load(config, folder):
    return config.letters


def measure(config, data, scorer, progress):
    groups = [scorer.group("The letter", [f" {letter}"]) for letter in data]
    sums = [sum(scores[0]) for scores in scorer.score(groups)]
    items = tuple(Item(letter, round(total, 6), {"logprob": total}) for letter, total in zip(data, sums))
    return (Metric("mean", sum(sums) / len(sums), "nats", n=len(sums)),), items
'''


def install(folder: Path, version: str = "1.2.0", **files: str) -> Path:
    """Install the package into a folder that is, or will be, on the path: modules and metadata, as an installer leaves
    them. ``files`` replace or add modules by name."""
    modules = {"__init__": "", "polite": POLITE, "letters": LETTERS, **files}
    (folder / "acme_checks").mkdir(parents=True, exist_ok=True)
    for name, text in modules.items():
        (folder / "acme_checks" / f"{name}.py").write_text(text)
    for old in folder.glob("acme_checks-*.dist-info/*"):
        old.unlink()
    for old in folder.glob("acme_checks-*.dist-info"):
        old.rmdir()
    info = folder / f"acme_checks-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: acme-checks\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return folder
