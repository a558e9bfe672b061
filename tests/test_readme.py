"""What the pages for newcomers name is there: commands, options, sessions, links."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from pipeline.cli.main import assay
from pipeline.core import errors

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```(?:sh)?\n(.*?)^```|((?:^ {4}\S.*\n)+)", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:assay|nox|python3 bootstrap\.py) [^`]+)`")


def commands(page: Path) -> Iterator[str]:
    """Yield the command lines of a page: from blocks of shell and from code within sentences."""
    text = page.read_text()
    for fenced, indented in BLOCK.findall(text):
        yield from (line.strip() for line in (fenced or indented).replace("\\\n", " ").splitlines())
    yield from INLINE.findall(text)


@cache
def sessions() -> set[str]:
    done = subprocess.run([sys.executable, "-m", "nox", "-l"], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(re.findall(r"^[*-] (\S+)", done.stdout, re.MULTILINE))


def words(line: str) -> list[str]:
    """Return a command line's words up to a pipe, a redirection or a comment, without settings of the environment."""
    line = re.split(r"\s{2,}| [|>]", re.sub(r"^(\w+=\S+ )+", "", line))[0]
    return [word for word in shlex.split(line, comments=True) if word != "…"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_exist(page: Path) -> None:
    known = sessions()
    for line in commands(page):
        parts = words(line) if re.match(r"(\w+=\S+ )*(python3|assay|nox)\b", line) else []
        if parts[:2] == ["python3", "bootstrap.py"]:
            parts = parts[2:]
        if parts[:1] == ["nox"]:
            named = parts[parts.index("-s") + 1 :] if "-s" in parts else []
            named = named[: named.index("--")] if "--" in named else named
            assert set(named) <= known, f"{line}: no such session"
        if parts[:1] == ["assay"]:
            check_assay(line, parts[1:])


def check_assay(line: str, arguments: list[str]) -> None:
    name = arguments[0] if arguments else "--help"
    if name.startswith("-") or name.isupper():
        return
    command = assay.get_command(click.Context(assay), name)
    assert command is not None, f"{line}: no such command"
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    assert {word for word in arguments if word.startswith("--")} <= known, f"{line}: no such option"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        if path.startswith("https:"):
            continue
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}, target


def test_the_readme_has_the_two_commands_that_ci_uses() -> None:
    readme = (ROOT / "README.md").read_text()
    for line in ("python3 bootstrap.py assay run tiny-chat", "python3 bootstrap.py nox -s tests"):
        assert f"\n    {line}\n" in readme
    assert "nox -s tests" in (ROOT / ".ci" / "run").read_text()


def test_the_readme_has_every_exit_code() -> None:
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.AssayError)}
    codes = {kind.exit_code for kind in kinds} | {errors.OK, errors.FINDINGS, errors.BUG, errors.INTERRUPTED}
    section = (ROOT / "README.md").read_text().partition("## Exit codes")[2].partition("\n## ")[0]
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)} == codes


def test_every_document_is_linked_from_the_readme_or_from_its_list() -> None:
    readme, rules = (ROOT / "README.md").read_text(), (ROOT / "docs/reference/rules.md").read_text()
    for page in PAGES:
        name = page.relative_to(ROOT).as_posix()
        listed = page.parent.name == "rules" and f"](rules/{page.name})" in rules
        assert name == "README.md" or listed or f"]({name})" in readme, name
