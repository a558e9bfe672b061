"""Every kind keeps the rules of kinds, whoever adds it: found by looking, so nothing has to be listed here."""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from statistics import median
from types import ModuleType

import click
import pytest

import pipeline
from pipeline.cli.main import COMMANDS, assay
from pipeline.core.kinds import discover

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "pipeline").rglob("*.py"))
# The folders of kinds, and the page of the reference that must name each of them.
PAGES = {
    "pipeline.lint.rules": "rules",
    "pipeline.checks.assertions": "assertions",
    "pipeline.evals.kinds": "suites",
    "pipeline.spec.sources": "sources",
    "pipeline.report.formats": "formats",
    "pipeline.export": "formats",
    "pipeline.deploy.targets": "targets",
    "pipeline.connect": "formats",
    "pipeline.lint.formats": "formats",
    "pipeline.report.logs": "formats",
}
KINDS = [(package, name) for package in PAGES for name in discover(package)]


def module_of(package: str, name: str) -> ModuleType:
    return discover(package)[name]


def test_there_are_kinds_of_every_sort() -> None:
    assert {package for package, _ in KINDS} == set(PAGES)


@pytest.mark.parametrize(("package", "name"), KINDS)
def test_says_what_it_is(package: str, name: str) -> None:
    module = module_of(package, name)
    text = inspect.getdoc(type(module.RULE)) if hasattr(module, "RULE") else module.__doc__
    assert text and len(text.split("\n\n")[0].strip()) > 20


@pytest.mark.parametrize(("package", "name"), KINDS)
def test_is_in_the_reference(package: str, name: str) -> None:
    page = (ROOT / "docs" / "reference" / f"{PAGES[package]}.md").read_text()
    assert re.search(
        rf"^(#+ .*|\| `|\| \[A[0-9]+\]\(.*\) \| ){re.escape(name).replace('_', '[_-]')}\b", page, re.MULTILINE
    )


@pytest.mark.parametrize(("package", "name"), KINDS)
def test_has_a_test_of_its_own(package: str, name: str) -> None:
    folder = ROOT.joinpath("tests", *package.split(".")[1:])
    assert (folder / f"test_{name}.py").is_file(), f"write {folder.relative_to(ROOT)}/test_{name}.py"


def test_no_two_rules_share_a_code() -> None:
    codes = [module.RULE.code for module in discover("pipeline.lint.rules").values()]
    assert len(codes) == len(set(codes))
    assert all(re.fullmatch(r"A[0-9]{3}", code) for code in codes)


@pytest.mark.parametrize("name", discover("pipeline.evals.kinds"))
def test_an_eval_kinds_example_is_valid_and_its_own(name: str) -> None:
    kind = module_of("pipeline.evals.kinds", name)
    assert kind.Config.model_validate(kind.EXAMPLE).kind == name


def test_a_scheme_belongs_to_one_source_whose_example_shows_it() -> None:
    sources = discover("pipeline.spec.sources").values()
    schemes = [scheme for source in sources for scheme in source.SCHEMES]
    assert len(schemes) == len(set(schemes))
    assert all(source.EXAMPLE.partition(":")[0] in source.SCHEMES for source in sources)


def test_formats_write_different_files() -> None:
    suffixes = [kind.SUFFIX for kind in discover("pipeline.report.formats").values()]
    assert len(suffixes) == len(set(suffixes))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_shows_an_example_and_speaks_json(name: str) -> None:
    command = assay.get_command(click.Context(assay), name)
    assert command is not None
    assert f"assay {name}" in (command.help or "")
    assert "--json" in {option for parameter in command.params for option in parameter.opts}
    assert len((ROOT / "pipeline" / "cli" / f"{name}.py").read_text().splitlines()) <= 120


def test_every_module_of_a_command_is_listed() -> None:
    modules = {path.stem for path in (ROOT / "pipeline" / "cli").glob("*.py") if "\n@command\n" in path.read_text()}
    assert modules == set(COMMANDS)


WATCHED_IMPORT = """
import importlib, os, sys

seen = []

def watch(event, arguments):
    if event in ("socket.connect", "socket.bind", "subprocess.Popen", "os.system", "os.posix_spawn", "os.fork"):
        seen.append((event, str(arguments)[:200]))
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        if str(arguments[0]) != os.devnull:
            seen.append((event, str(arguments[0])))

sys.addaudithook(watch)
for name in sys.argv[1:]:
    importlib.import_module(name)
    if seen:
        sys.exit(f"importing {name} did {seen}")
"""


def test_importing_does_nothing() -> None:
    """No module starts a process, opens a socket or writes a file when it is imported, nor does what it imports."""
    names = [info.name for info in pkgutil.walk_packages(pipeline.__path__, "pipeline.")]
    done = subprocess.run(
        [sys.executable, "-c", WATCHED_IMPORT, *names],
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_the_watch_on_imports_sees(tmp_path: Path) -> None:
    (tmp_path / "naughty.py").write_text("import socket\nsocket.socket().bind(('127.0.0.1', 0))\n")
    (tmp_path / "messy.py").write_text("open(__file__ + '.txt', 'w')\n")
    for name in ("naughty", "messy"):
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", WATCHED_IMPORT, name], env=environment, capture_output=True, text=True
        )
        assert f"importing {name} did" in done.stderr


def test_modules_are_short() -> None:
    lines = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in MODULES}
    assert {path: count for path, count in lines.items() if count > 320} == {}
    assert median(lines.values()) <= 150


def test_every_module_but_a_rule_says_what_it_is() -> None:
    paths = [path.relative_to(ROOT).with_suffix("") for path in MODULES if path.parent.name != "rules"]
    names = [".".join(path.parts).removesuffix(".__init__") for path in paths]
    assert [name for name in names if not importlib.import_module(name).__doc__] == []


def test_imports_go_one_way() -> None:
    done = subprocess.run([Path(sys.executable).parent / "lint-imports"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
