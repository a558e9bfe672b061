"""Record the README's transcripts: real commands on models of a hub (the tests' own on loopback, which answers as Hugging
Face's) and on faulty files.

python docs/transcripts.py --write      put them into README.md
python docs/transcripts.py --check      exit 1 when README.md says something else
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests import zoo  # noqa: E402
from tests.hubs.huggingface import hub  # noqa: E402

REPO = "acme/small-GGUF"
FAULTY = {
    "instruct-Q8_0.gguf": "no-template",
    "fine-tune-Q8_0.gguf": "eos-is-a-word",
    "tools-Q8_0.gguf": "template-drops-results",
}


def ran(command: str, root: Path, environment: dict[str, str] | None = None, *, code: int = 0) -> str:
    """Run a command; return what was typed and what came. Raises AssertionError unless it ends with ``code``."""
    argv = [sys.executable, "-m", "pipeline.cli.main", *command.split()[1:]]
    known = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "150", **(environment or {})}
    done = subprocess.run(argv, cwd=root, env=known, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return f"$ {command}\n{done.stdout}"


def of_a_hub(root: Path) -> str:
    """A model of a hub, from the first lock to a newer version upstream."""
    with hub() as upstream:
        upstream.add_repo(REPO, {"small-Q8_0.gguf": zoo.SOUND, "README.md": b"# small"}, license="apache-2.0")
        places = {"HF_ENDPOINT": upstream.url, "HF_HOME": str(root / "hf")}
        (root / "specs").mkdir()
        first = [f"assay init small --source hf://{REPO}:Q8_0", "assay lock small", "assay fetch small"]
        said = [ran(command, root, places) for command in (*first, "assay verify --deep small")]
        said.append("# meanwhile, somebody uploads the file again, with another chat template\n")
        changed = root / "changed.gguf"
        zoo.template(lambda text: text.replace("Call a tool like this", "To call a tool, write"))(changed)
        upstream.repos[REPO].commit({"small-Q8_0.gguf": changed})
        later = ["assay outdated small", "assay lock --check small", "assay lock --upgrade --dry-run small"]
        return "".join([*said, *(ran(command, root, places) for command in later)])


def of_lint(root: Path) -> str:
    """Three files with one fault each, as they are found in the wild."""
    said = []
    for name, defect in FAULTY.items():
        zoo.DEFECTS[defect].make(root / name)
        said.append(ran(f"assay lint --stage header {name}", root, code=0 if defect == "no-template" else 1))
    # Which rules had nothing to judge is not what these are shown for.
    return "".join(line for line in "".join(said).splitlines(keepends=True) if not line.startswith("  not evaluated"))


TRANSCRIPTS = {"hub": of_a_hub, "lint": of_lint}


def place(name: str) -> re.Pattern[str]:
    """Where a transcript stands."""
    mark = f"{name} transcript"
    return re.compile(rf"(<!-- {mark}: begin -->\n```text\n).*?(```\n<!-- {mark}: end -->)", re.DOTALL)


def recorded(name: str) -> str:
    """Return one transcript, made anew."""
    with tempfile.TemporaryDirectory() as folder:
        return TRANSCRIPTS[name](Path(folder))


def main() -> int:
    readme = ROOT / "README.md"
    before = after = readme.read_text()
    for name in TRANSCRIPTS:
        text = recorded(name)
        after, count = place(name).subn(lambda found, text=text: f"{found[1]}{text}{found[2]}", after)  # type: ignore[misc]
        assert count == 1, f"README.md has no place for the {name} transcript"
    if "--write" in sys.argv[1:]:
        readme.write_text(after)
        return 0
    if after != before:
        sys.stderr.write("README.md's transcripts are stale: python docs/transcripts.py --write\n")
    return int(after != before)


if __name__ == "__main__":
    sys.exit(main())
