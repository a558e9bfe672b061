"""Write docs/reference from the code: ``python docs/generate.py [--write] [--check]``.

Every page comes from what the program itself uses: commands from their ``--help``, rules and kinds from their
docstrings, keys from the models that check them, tables from a migrated database. ``--check`` fails when a page was
not what the code says.
"""

from __future__ import annotations

import argparse
import inspect
import sys
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import _rules
import click
import duckdb
from pydantic import BaseModel

from pipeline.checks.assertions._base import assertions
from pipeline.checks.options import Options, Repeat, Requires, Tool
from pipeline.checks.suite import Case, Document, Turn, load_suite
from pipeline.cli.main import COMMANDS, assay
from pipeline.core import errors
from pipeline.core.kinds import discover
from pipeline.evals.engine import load_suite as load_eval
from pipeline.evals.instructions.content import CONTENTS
from pipeline.evals.instructions.form import FORMS
from pipeline.evals.instructions.length import LENGTHS
from pipeline.lock.model import Lockfile
from pipeline.record.schema import migrate
from pipeline.spec.load import read_model
from pipeline.spec.model import Spec
from pipeline.spec.policy import Policy
from pipeline.spec.suite import SuiteHead

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"
MARK = "<!-- Written by docs/generate.py; to change it, change the code it comes from. -->"


def doc(thing: Any) -> str:
    """Return a docstring as Markdown."""
    return (inspect.getdoc(thing) or "").replace("``", "`")


def summary(thing: Any) -> str:
    return doc(thing).split("\n\n")[0].replace("\n", " ")


def table(*rows: tuple[str, ...]) -> str:
    head, *body = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *body])


def keys(model: type[BaseModel]) -> str:
    """Return the keys of a model as a table: key, type, default, and meaning where one is given."""
    schema, rows = model.model_json_schema(), []
    for name, field in schema["properties"].items():
        inner = schema["$defs"][field["$ref"].rpartition("/")[2]] if "$ref" in field else {}
        meaning = field.get("description") or inner.get("description", "").replace("``", "`")
        if name in schema.get("required", ()):
            default = "required"
        else:
            default = (
                "as below" if inner else f"`{_plain(model.model_fields[name].get_default(call_default_factory=True))}`"
            )
        rows.append((f"`{name}`", _type(schema, field), default, meaning))
    width = 4 if any(meaning for *_, meaning in rows) else 3
    return table(*(row[:width] for row in [("Key", "Type", "Default", "Meaning"), *rows]))


def _plain(value: Any) -> str:
    """Return a value as one writes it in YAML."""
    match value:
        case dict():
            return "{" + ", ".join(f"{key}: {_plain(part)}" for key, part in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_plain, value)) + "]"
        case None | True | False:
            return {None: "null", True: "true", False: "false"}[value]
    return str(value) or '""'


def _type(schema: dict[str, Any], field: dict[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in field:
        return " or ".join(_type(schema, part) for part in field["anyOf"])
    if "enum" in field or "const" in field:
        return " or ".join(f"`{choice}`" for choice in field.get("enum", [field.get("const")]))
    kind = str(field.get("type", "anything"))
    if kind == "array":
        return f"list of {_type(schema, field.get('items', {}))}"
    if kind == "object":
        inner = field.get("additionalProperties")
        return f"names to {_type(schema, inner)}" if isinstance(inner, dict) else "mapping"
    words = {
        "integer": "whole number",
        "number": "number",
        "string": "text",
        "boolean": "true or false",
        "null": "null",
    }
    bounds = {"minimum": "≥ {}", "exclusiveMinimum": "> {}", "maximum": "≤ {}", "pattern": "`{}`"}
    limits = [text.format(field[bound]) for bound, text in bounds.items() if bound in field]
    return words.get(kind, kind) + (", " + ", ".join(limits) if limits else "")


def sections(model: type[BaseModel], *without: type[BaseModel]) -> Iterator[str]:
    """Yield a section for every model that ``model`` refers to, in the order of first appearance."""
    seen: dict[str, type[BaseModel]] = {}

    def visit(annotation: Any) -> None:
        if annotation in without:
            return
        if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation.__name__ not in seen:
            seen[annotation.__name__] = annotation
            for field in annotation.model_fields.values():
                visit(field.annotation)
        for inner in getattr(annotation, "__args__", ()):
            visit(inner)

    visit(model)
    for name, found in seen.items():
        yield f"## {name}\n\n{doc(found)}\n\n{keys(found)}"


def cli() -> str:
    group = click.Context(assay, info_name="assay", terminal_width=100, **assay.context_settings)
    parts = ["# Commands", MARK, _block(assay.get_help(group)), "## Exit codes", _exit_codes()]
    for name in COMMANDS:
        found = assay.get_command(group, name)
        assert found is not None
        inner = click.Context(found, info_name=name, parent=group, terminal_width=100)
        parts += [f"## assay {name}", _block(found.get_help(inner))]
    return "\n\n".join(parts)


def _block(text: str) -> str:
    return "```text\n" + "\n".join(line.rstrip() for line in text.splitlines()) + "\n```"


def _exit_codes() -> str:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.AssayError)]
    meaning: dict[int, list[str]] = {}
    for kind in kinds:
        meaning.setdefault(kind.exit_code, []).append(summary(kind))
    meaning |= {
        errors.OK: ["All is well."],
        errors.FINDINGS: ["Lint or a required check found something, or the gate rejected the model."],
    }
    meaning |= {
        errors.BUG: ["A bug in Assay; the path of a log is printed."],
        errors.INTERRUPTED: ["Interrupted; what was finished is kept."],
    }
    return table(("Code", "Meaning"), *((f"{code}", " ".join(meaning[code])) for code in sorted(meaning)))


def lint() -> str:
    return _rules.index(table(*_rules.rows()), MARK)


def suites() -> str:
    intro = "A suite is a folder of `evals/`: data with a version, licence and source. Locks pin version and digest."
    rows = [("Suite", "Kind", "Version", "Size", "Licence", "What")]
    for path in sorted((ROOT / "evals").glob("*/suite.yaml")):
        head = read_model(path, SuiteHead)
        rows.append(
            (
                f"`{path.parent.name}`",
                head.kind,
                head.version,
                _size(path.parent, head.kind),
                head.license,
                head.description.strip(),
            )
        )
    parts = ["# Suites", MARK, intro, table(*rows), "## Kind behaviour", doc(sys.modules[Document.__module__])]
    parts += [
        f"### {model.__name__}\n\n{doc(model)}\n\n{keys(model)}"
        for model in (Document, Case, Turn, Options, Repeat, Requires, Tool)
    ]
    for name, kind in discover("pipeline.evals.kinds").items():
        parts += [f"## Kind {name}", doc(kind), doc(kind.Config), keys(kind.Config)]
        if name == "instruction_following":
            parts += ["### Instructions", _instructions()]
    return "\n\n".join(parts)


def _instructions() -> str:
    rows = []
    for kind in typing.get_args(LENGTHS | CONTENTS | FORMS):
        names = [key for key in kind.model_fields if key != "id"]
        (id,) = typing.get_args(kind.model_fields["id"].annotation)
        rows.append((f"`{id}`", ", ".join(f"`{name}`" for name in names), " ".join(doc(kind).split())))
    return table(("Instruction", "Arguments", "What the answer must have"), *sorted(rows))


def _size(folder: Path, kind: str) -> str:
    if kind == "behaviour":
        return f"{len(load_suite(folder).document.cases)} cases"
    data = load_eval(folder).data
    return f"{len(data)} {'items' if not isinstance(data, str) else 'characters'}" if hasattr(data, "__len__") else ""


def expectations() -> str:
    intro = "What `expect:` in a behaviour suite may ask. Each is a module of `pipeline/checks/assertions/`."
    parts = ["# Assertions", MARK, intro]
    for name, kind in assertions().items():
        parts += [f"## {name}", doc(kind), _block(f"expect:\n  {name}: {_plain(kind.EXAMPLE)}")]
    return "\n\n".join(parts)


def sources() -> str:
    intro = "What `source:` in a spec may say. Each is a module of `pipeline/spec/sources/`."
    parts = ["# Sources", MARK, intro]
    for name, kind in discover("pipeline.spec.sources").items():
        parts += [f"## {name}", doc(kind), _block(f"source: {kind.EXAMPLE}")]
    return "\n\n".join(parts)


def formats() -> str:
    rows = [
        (f"`{name}`", f"`reports/NAME.{kind.SUFFIX}`" if kind.WRITTEN else f"`--format {name}`", summary(kind))
        for name, kind in discover("pipeline.report.formats").items()
    ]
    told = [(f"`{name}`", summary(kind)) for name, kind in discover("pipeline.lint.formats").items()]
    exports = [(f"`{name.replace('_', '-')}`", summary(kind)) for name, kind in discover("pipeline.export").items()]
    clients = [(f"`{name.replace('_', '-')}`", summary(kind)) for name, kind in discover("pipeline.connect").items()]
    logs = [
        (f"`{name}`", f"`.{kind.SUFFIX}`", summary(kind)) for name, kind in discover("pipeline.report.logs").items()
    ]
    return "\n\n".join(
        [
            "# Formats",
            MARK,
            "## Of `assay report`",
            table(("Format", "File", "What"), *rows),
            "## Of `assay lint`",
            table(("Format", "What"), *told),
            "## Of `assay results`",
            table(("Format", "Ending", "What"), *logs),
            "## Of `assay export`",
            table(("Format", "What"), *exports),
            "## Of `assay connect`",
            table(("Client", "For"), *clients),
        ]
    )


def targets() -> str:
    rows = [
        (f"`{name}`", "Assay" if kind.STARTS else "you", "yes" if kind.IMAGE else "no", summary(kind))
        for name, kind in discover("pipeline.deploy.targets").items()
    ]
    head = "Where `assay deploy` puts a model, with `--target`. How it goes on from there: [deploy](../deploy.md)."
    return "\n\n".join(["# Targets", MARK, head, table(("Target", "Started by", "Wants an image", "What"), *rows)])


def spec() -> str:
    return "\n\n".join(["# Specs", MARK, SPEC, *sections(Spec)])


def policy() -> str:
    return "\n\n".join(["# The policy", MARK, POLICY, *sections(Policy)])


def lockfile() -> str:
    return "\n\n".join(["# Lockfiles", MARK, LOCKFILE, *sections(Lockfile, Spec)]).replace("](#spec)", "](spec.md)")


def record() -> str:
    parts = ["# The record", MARK, RECORD]
    with duckdb.connect(":memory:") as connection:
        migrate(connection)
        columns = connection.execute(
            "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns"
            " ORDER BY table_name, ordinal_position"
        ).fetchall()
    for name in dict.fromkeys(row[0] for row in columns):
        rows = [
            (f"`{column}`", kind, "yes" if null == "YES" else "") for of, column, kind, null in columns if of == name
        ]
        parts += [f"## {name}", table(("Column", "Type", "May be null"), *rows)]
    return "\n\n".join(parts)


SPEC = """\
A spec is `specs/NAME.yaml`: YAML 1.2, read strictly. Unknown keys, double keys and wrong types are errors, reported all
at once with their places. `assay schema` prints the JSON Schema."""

POLICY = """\
`specs/policy.yaml` says what every model of the catalog must show, whatever its own spec asks; without the file nothing
is asked. `assay gate` judges by both, and `assay catalog` shows what came of it. An exception waives a rule for some
models: it is shown with its owner, its reason and its end, and never silently. `assay schema policy` prints the JSON
Schema."""

LOCKFILE = """\
A lock is `lockfiles/NAME.lock.json`: JSON with sorted keys, no clock, no path of a machine, so that the same spec gives
the same bytes anywhere. Its digest is the sha256 of its canonical form (sorted keys, no white space, UTF-8); every
result is keyed by it. `assay schema lock` prints the JSON Schema."""

RECORD = """\
Results lie in `.assay/results.duckdb`, which any DuckDB client can read; `assay query SQL` does so read-only. A run is
keyed by the digests of lock, engine and hardware, its stage, its subject and the subject's digest. Rows of `findings`,
`outcomes`, `metrics`, `eval_items` and `bench_rows` belong to a run by `run_id`; `position` is their order."""

PAGES: dict[str, Callable[[], str]] = {
    "cli": cli,
    "rules": lint,
    "suites": suites,
    "assertions": expectations,
    "sources": sources,
    "formats": formats,
    "targets": targets,
    "spec": spec,
    "policy": policy,
    "lockfile": lockfile,
    "record": record,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write what changed")
    parser.add_argument("--check", action="store_true", help="exit 1 when something was not up to date")
    wanted, stale = parser.parse_args(), []
    pages = {name: page() for name, page in PAGES.items()} | _rules.pages(MARK)
    for path in REFERENCE.rglob("*.md"):
        if path.relative_to(REFERENCE).with_suffix("").as_posix() not in pages:
            stale.append(path)
            if wanted.write:
                path.unlink()
    for name, page in pages.items():
        path, text = REFERENCE / f"{name}.md", page.rstrip() + "\n"
        if not path.is_file() or path.read_text() != text:
            stale.append(path)
            if wanted.write:
                path.parent.mkdir(exist_ok=True, parents=True)
                path.write_text(text)
    for path in stale:
        done = "was written anew" if path.is_file() else "was removed"
        print(f"{path.relative_to(ROOT)} {done if wanted.write else 'is stale: run nox -s docs'}")
    return 1 if stale and wanted.check else 0


if __name__ == "__main__":
    sys.exit(main())
