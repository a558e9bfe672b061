"""Serve tiny-chat and a model that makes vectors as a user would, let the clients at them, and write down which can do what.

``python -m tests.compat.run PYTHON`` takes the Python of an environment that has the clients. The rows go to ``.assay/compat.duckdb``, the
table to docs/clients.md. Exit 1 when a check ended otherwise than the page said before.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb

from tests.encoder import write_encoder

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "clients.md"
MODEL, VECTORS = "tiny-chat", "vectors"
CHATS = "engine: {context: 1024, slots: 4, threads: 1}\nsampling: {temperature: 0, seed: 0, max_tokens: 128}\n"
ENCODES = "profile: embedding\nengine: {context: 64, slots: 1, threads: 1}\n"
BEGIN, END = "<!-- Written by nox -s compat: begin -->", "<!-- end -->"
COLUMNS = (
    "tested TIMESTAMP, model VARCHAR, lock VARCHAR, engine VARCHAR, "
    "client VARCHAR, version VARCHAR, feature VARCHAR, verdict VARCHAR, said VARCHAR"
)


def assay(project: Path, *arguments: str) -> str:
    """Run a command in a project; returns what it prints."""
    command = [sys.executable, "-m", "pipeline.cli.main", *arguments]
    return subprocess.run(command, cwd=project, env=_environment(), check=True, capture_output=True, text=True).stdout


def make(project: Path) -> None:
    """Write a project of the model that chats and of one that makes vectors, and lock both."""
    for part in ("specs", "models"):
        (project / part).mkdir()
    shutil.copy(ROOT / "models" / MODEL / f"{MODEL}-q8_0.gguf", project / "models" / f"{MODEL}.gguf")
    write_encoder(project / "models" / f"{VECTORS}.gguf")
    for name, more in ((MODEL, CHATS), (VECTORS, ENCODES)):
        (project / "specs" / f"{name}.yaml").write_text(f"name: {name}\nsource: file:../models/{name}.gguf\n{more}")
    assay(project, "lock")


def served(python: str, project: Path) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """Serve both models, run the clients, stop the server; returns what is served and the rows."""
    make(project)
    command = [sys.executable, "-m", "pipeline.cli.main", "serve", MODEL, VECTORS, "--port", "0", "--json", "--quiet"]
    server = subprocess.Popen(command, cwd=project, env=_environment(), stdout=subprocess.PIPE, text=True)
    try:
        about = _document(server)
        url = about["url"].removesuffix("/v1")
        key = (project / about["key_file"]).read_text().split()[0].rpartition(":")[2]
        config = assay(project, "connect", "llm", MODEL, "--url", url)
        chats, encodes = (
            next(one for one in about["models"] if one.startswith(f"{name}@")) for name in (MODEL, VECTORS)
        )
        environment = {
            **os.environ,
            "ASSAY_URL": url,
            "ASSAY_MODEL": chats,
            "ASSAY_ENCODER": encodes,
            "ASSAY_API_KEY": key,
        }
        environment |= {"ASSAY_LLM_CONFIG": config, "NO_PROXY": "127.0.0.1", "ANONYMIZED_TELEMETRY": "False"}
        done = subprocess.run(
            [python, str(ROOT / "tests/compat/clients.py")],
            env=environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        rows: list[dict[str, str]] = json.loads(done.stdout[done.stdout.index("[\n") :])
        return about, rows
    finally:
        server.terminate()
        server.wait(30)


def _document(server: subprocess.Popen[str]) -> dict[str, Any]:
    """Return the JSON that the server prints when it is ready."""
    text = ""
    for line in server.stdout or ():
        text += line
        if line == "}\n":
            found: dict[str, Any] = json.loads(text)
            return found
    sys.exit(f"assay serve ended with {server.wait()}\n{text}")


def table(rows: list[dict[str, str]]) -> str:
    """Return the rows as a table, a client a line, and below it what is not a plain yes."""
    features = list(dict.fromkeys(row["feature"] for row in rows))
    lines = ["| Client | Version | " + " | ".join(features) + " |", "| --- " * (len(features) + 2) + "|"]
    notes = []
    for client in dict.fromkeys(row["client"] for row in rows):
        mine = {row["feature"]: row for row in rows if row["client"] == client}
        cells = [{"none": "–"}.get(mine[feature]["verdict"], mine[feature]["verdict"]) for feature in features]
        lines.append(f"| {client} | {next(iter(mine.values()))['version']} | {' | '.join(cells)} |")
        notes += [
            f"- {client}, {row['feature']}: {_plain(row['said'])}"
            for row in mine.values()
            if row["verdict"] in ("no", "refused")
        ]
    return "\n".join([*lines, "", *notes])


def _plain(text: str) -> str:
    return " ".join(text.replace("|", "/").replace("<", "‹").replace(">", "›").split())


def keep(about: dict[str, Any], rows: list[dict[str, str]]) -> None:
    """Add the rows to the database."""
    place = ROOT / ".assay" / "compat.duckdb"
    place.parent.mkdir(exist_ok=True)
    lock = next(one["lock"] for one in about["served"] if one["name"] == MODEL)
    with duckdb.connect(str(place)) as connection:
        connection.execute(f"CREATE TABLE IF NOT EXISTS clients ({COLUMNS})")
        now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        for row in rows:
            values = (now, MODEL, lock, about["engine"], *row.values())
            connection.execute("INSERT INTO clients VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)


def verdicts(text: str) -> list[list[str]]:
    """Return what a table says, without the versions."""
    lines = re.findall(r"^\| ([a-z-]+) \| [0-9][^|]* \| (.*) \|$", text, re.MULTILINE)
    return [[client, *cells.split(" | ")] for client, cells in lines]


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        about, rows = served(sys.argv[1], Path(folder))
    keep(about, rows)
    old, new = PAGE.read_text(), table(rows)
    print(new)
    before, rest = old.split(BEGIN)
    was, after = rest.split(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{new}\n\n{END}{after}")
    return 0 if verdicts(was) == verdicts(new) else 1


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


if __name__ == "__main__":
    sys.exit(main())
