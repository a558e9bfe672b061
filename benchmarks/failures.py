"""What Assay and the Hugging Face hub's own client make of the same failures: two columns, as a Markdown table.

Both are run by their command lines against the same loopback hub; the cases are those of ``tests/matrix``.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.matrix.cases import CASES
from tests.matrix.clients import TOKEN, Assay, Done, HubClient
from tests.matrix.hostile import hostile
from tests.matrix.stage import LARGE, SMALL, Case, Stage, play, stage

PATIENCE = 75.0


def outcome(done: Done, played: Stage, client: Assay | HubClient) -> str:
    """Return in words how a case ended, the worst thing first."""
    there = [client.place(name, content) for name, content in played.files.items()]
    contents = [path.read_bytes() if path.is_file() else None for path in there]
    right = contents == list(played.files.values())
    wrong = any(got is not None and got != want for got, want in zip(contents, played.files.values(), strict=True))
    said = []
    if done.code is None:
        said.append(f"**hung** (ended after {client.patience:.0f} s)")
    elif "Traceback (most recent call last)" in done.said or done.code == 70:
        said.append("**an error with a traceback**")
    elif done.code == 0 and right:
        said.append("right file")
    elif done.code == 0:
        said.append("**WRONG FILE ACCEPTED**" if wrong else "**INCOMPLETE, and no error**")
    else:
        said.append("clear error")
    if done.code != 0 and wrong:
        said.append("**WRONG FILE KEPT under its final name**")
    if client.astray:
        said.append(f"**asked {', '.join(sorted(set(client.astray)))}**")
    if played.hub.leaked or TOKEN in done.said:
        said.append("**token leaked**")
    said += [f"**{fault}**" for fault in played.faults] + played.notes
    return "; ".join(said)


def run(case: Case, size: int, client: Assay | HubClient) -> tuple[str, Done]:
    """Play one case with one client; returns the outcome in words, and what the client said."""
    client.patience = PATIENCE
    with hostile() as hub:
        try:
            played = stage(case, size, hub, client)
            done = play(case, played)
            return outcome(done, played, client), done
        finally:
            hub.begin()


def peer_version(python: str) -> str:
    """Return the version of huggingface_hub that an interpreter has, nothing where it has none."""
    code = "from importlib.metadata import version; print(version('huggingface_hub'))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def main() -> int:
    """Play all cases and print the table; exit code 1 where Assay's outcome is none that the matrix allows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer-python", default=sys.executable, help="an interpreter that has huggingface_hub")
    parser.add_argument("--only", default="", help="play the cases whose names hold this")
    parser.add_argument("--large", action="store_true", help="each with a file of 24 MiB, too, where that differs")
    parser.add_argument("--messages", action="store_true", help="print what was said, to stderr")
    args = parser.parse_args()
    version = peer_version(args.peer_python)
    if not version:
        print(f"{args.peer_python} has no huggingface_hub: only Assay is run (see --peer-python)", file=sys.stderr)
    print(f"| Case | Must end in | Assay | huggingface_hub {version or '(not installed)'} |\n|---|---|---|---|")
    bad = 0
    for case in (case for case in CASES if case.peer and args.only in case.name):
        for size in case.sizes if args.large else case.sizes[:1]:
            cells = []
            for kind in (Assay, HubClient):
                if kind is HubClient and not version:
                    cells.append("–")
                    continue
                folder = Path(tempfile.mkdtemp(prefix="assay-failures-"))
                client: Assay | HubClient = kind(folder)
                client.inside = False
                if isinstance(client, HubClient):
                    client.python = args.peer_python
                words, done = run(case, size, client)
                cells.append(words)
                shutil.rmtree(folder)
                if kind is Assay:
                    bad += "**" in words or not words.startswith("right file" if case.right else "clear error")
                if args.messages:
                    print(f"--- {case.name}: {client.name}: {done.code}\n{done.said[-1500:]}", file=sys.stderr)
            sort = f"{case.name}{', 24 MiB' if size == LARGE and SMALL in case.sizes else ''}"
            print(f"| {sort} | {'the right file' if case.right else 'an error'} | {' | '.join(cells)} |", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
