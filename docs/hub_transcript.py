"""Record the README's transcript of a hub model: the real commands against the tests' loopback hub, which answers as Hugging Face's.

python docs/hub_transcript.py --write      put it into README.md
python docs/hub_transcript.py --check      exit 1 when README.md says something else
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

PLACE = re.compile(r"(<!-- hub transcript: begin -->\n```text\n).*?(```\n<!-- hub transcript: end -->)", re.DOTALL)
REPO = "acme/small-GGUF"


def record() -> str:
    """Run the commands; return what was typed and what came."""
    with hub() as upstream, tempfile.TemporaryDirectory() as folder:
        root, said = Path(folder), []
        upstream.add_repo(REPO, {"small-Q8_0.gguf": zoo.SOUND, "README.md": b"# small"}, license="apache-2.0")
        environment = {
            **os.environ,
            "HF_ENDPOINT": upstream.url,
            "PYTHONPATH": str(ROOT),
            "HF_HOME": str(root / "hf"),
            "COLUMNS": "150",
        }

        def run(command: str) -> None:
            argv = [sys.executable, "-m", "pipeline.cli.main", *command.split()[1:]]
            done = subprocess.run(
                argv, cwd=root, env=environment, capture_output=True, text=True, check=True, timeout=120
            )
            said.append(f"$ {command}\n{done.stdout}")

        (root / "specs").mkdir()
        run(f"assay init small --source hf://{REPO}:Q8_0")
        run("assay lock small")
        run("assay fetch small")
        run("assay verify --deep small")
        said.append("# meanwhile, somebody uploads the file again, with another chat template\n")
        changed = root / "changed.gguf"
        zoo.template(lambda text: text.replace("Call a tool like this", "To call a tool, write"))(changed)
        upstream.repos[REPO].commit({"small-Q8_0.gguf": changed})
        run("assay outdated small")
        run("assay lock --check small")
        run("assay lock --upgrade --dry-run small")
        return "".join(said)


def main() -> int:
    readme = ROOT / "README.md"
    text = readme.read_text()
    recorded = record()
    new = PLACE.sub(lambda found: f"{found[1]}{recorded}{found[2]}", text)
    if "--write" in sys.argv[1:]:
        readme.write_text(new)
        return 0
    if new != text:
        sys.stderr.write("README.md's hub transcript is stale: python docs/hub_transcript.py --write\n")
    return int(new != text)


if __name__ == "__main__":
    sys.exit(main())
