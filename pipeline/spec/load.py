"""From a YAML file to a checked model: every fault with its place and what to write instead, all of them at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from pipeline.core.errors import Problem, SpecError, UsageError, did_you_mean
from pipeline.core.project import Project
from pipeline.spec import yaml
from pipeline.spec.model import Spec
from pipeline.spec.parts import NAME
from pipeline.spec.problems import told
from pipeline.spec.sources._base import source_of

LIMIT = 1 << 20
# Beside the specs, and none of them.
POLICY_FILE = "policy.yaml"
M = TypeVar("M", bound=BaseModel)
Fault = tuple[yaml.Path, str, str]  # the path of a value, what is wrong with it, what to write instead


def read_model(path: Path, model: type[M]) -> M:
    """Read ``path`` as ``model``. Raises SpecError with all problems, UsageError when the file can't be read."""
    return check(_parsed(path), model)


def _parsed(path: Path) -> yaml.Document:
    try:
        with path.open("rb") as file:
            content = file.read(LIMIT + 1)
    except OSError as error:
        raise UsageError(f"can't read {shown(path)}: {error.strerror}") from None
    if len(content) > LIMIT:
        hint = "keep long data in a file of its own"
        raise SpecError([Problem(shown(path), 0, 0, f"larger than {LIMIT >> 20} MiB", hint)])
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        raise SpecError([Problem(shown(path), line, column, "not UTF-8 text", "save the file as UTF-8")]) from None
    return yaml.parse(text, shown(path))


def check(document: yaml.Document, model: type[M], more: Sequence[Problem] = ()) -> M:
    """Check a parsed document against ``model``. Raises SpecError with all problems, ``more`` among them."""
    problems = [*document.problems, *more]
    checked = None
    try:
        checked = model.model_validate(document.value if document.value is not None else {})
    except ValidationError as error:
        found = [told(document, model, detail) for detail in error.errors(include_url=False)]
        malformed = {(problem.line, problem.column) for problem in problems}  # what follows from that is not told
        problems += [problem for problem in found if (problem.line, problem.column) not in malformed]
    if problems or checked is None:
        raise SpecError(list(dict.fromkeys(problems)))
    return checked


def refuse(path: Path, faults: Sequence[Fault]) -> None:
    """Raise SpecError where there are ``faults``, which show only in what the file names."""
    if faults:
        document = _parsed(path)
        raise SpecError([document.problem(*fault) for fault in faults])


def read_spec(path: Path) -> Spec:
    """Read one spec; its name must be that of its file, and a source must know its reference. Raises as ``read_model``."""
    document = _parsed(path)
    return check(document, Spec, list(_spec_problems(document, path)))


def _spec_problems(document: yaml.Document, path: Path) -> Iterator[Problem]:
    """Yield what the model can't know."""
    content = document.value if isinstance(document.value, dict) else {}
    name, source, chat = content.get("name"), content.get("source"), content.get("chat")
    if isinstance(name, str) and name != path.stem and re.match(NAME, name):
        hint = f"write name: {path.stem}, or call the file {name}.yaml"
        yield document.problem(("name",), f"the spec's name is {name!r}, its file's {path.stem!r}", hint)
    references: dict[tuple[str | int, ...], Any] = {("source",): source, ("mmproj",): content.get("mmproj")}
    if isinstance(mirrors := content.get("mirrors"), list):
        # One that ends in / is a folder: with a name it is a reference as any other.
        named = [f"{one}x.gguf" if isinstance(one, str) and one.endswith("/") else one for one in mirrors]
        references |= {("mirrors", number): one for number, one in enumerate(named)}
    if isinstance(chat, dict) and isinstance(chat.get("template"), str):
        references["chat", "template"] = f"file:{chat['template']}"
    for place, reference in references.items():
        if isinstance(reference, str):
            try:
                known = source_of(reference)
                known.check(reference)
                if place[0] == "mirrors" and known.LOCAL:
                    raise UsageError(f"{reference} is no place that others can reach", hint="write an https URL")
            except UsageError as error:
                yield document.problem(place, error.message, error.hint)


def find_spec(project: Project, name: str) -> Path:
    """Return the spec file for a name, or for a path to a spec. Raises UsageError with the nearest names."""
    if name.endswith((".yaml", ".yml")):
        if Path(name).is_file():
            return Path(name)
        raise UsageError(f"no such file: {name}")
    if f"{name}.yaml" == POLICY_FILE:
        raise UsageError(f"{name!r} is no model: {POLICY_FILE} is the catalog's policy", hint="choose another name")
    path = project.specs / f"{name}.yaml"
    if path.is_file():
        return path
    known = [found.stem for found in spec_files(project)]
    hint = did_you_mean(name, known, f"there are: {', '.join(known) or 'none'}")
    if path.with_suffix(".yml").is_file():
        hint = f"rename {shown(path.with_suffix('.yml'))}: specs end in .yaml"
    raise UsageError(f"no spec {name!r}: {shown(path)} does not exist", hint=hint)


def spec_files(project: Project) -> list[Path]:
    """Return the specs of the catalog, by name: those directly in ``specs/``, the catalog's policy left out."""
    found = (path for path in project.specs.glob("*.yaml") if path.is_file() and not path.name.startswith("."))
    return sorted(path for path in found if path.name != POLICY_FILE)


def shown(path: Path) -> str:
    """Return a path for people: relative to here where it lies below."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
