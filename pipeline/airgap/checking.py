"""Checking a bundle, as the script in it does."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from pipeline.airgap.carried import BLOBS, Damaged, Folder, NoBundle, Tar, open_bundle, shown
from pipeline.airgap.described import Model, read_models


# What follows stands in the script verify.py too: Python 3.8, its standard library, and nothing else.
def check(bundle: Tar | Folder) -> tuple[list[Model], list[str]]:
    """Return the models and everything that is wrong, hashing every byte."""
    problems: list[str] = []
    models: list[Model] = []
    try:
        models = read_models(bundle)
    except Damaged as error:
        problems.append(str(error))
    for name, pieces in bundle.contents():
        hasher = hashlib.sha256()
        for piece in pieces:
            hasher.update(piece)
        if name.startswith(BLOBS) and name != BLOBS + hasher.hexdigest():
            problems.append(f"{name}: sha256 is {hasher.hexdigest()}")
    return models, [*dict.fromkeys(bundle.problems + problems)]


def main(arguments: list[str]) -> int:
    """Check what the command line names; returns the exit code."""
    if len(arguments) > 1 or arguments[:1] in (["-h"], ["--help"]):
        print(__doc__)
        return 0 if len(arguments) == 1 else 2
    try:
        models, problems = check(open_bundle(Path(*arguments) if arguments else Path(__file__).resolve().parent))
    except NoBundle as error:
        print(f"error: {shown(str(error))}", file=sys.stderr)
        return 2
    except (Damaged, OSError) as error:
        models, problems = [], [str(error)]
    text = "\n".join(problems)
    for model in models:
        print(f"{model.name}  sha256:{model.hex}")
        for file in model.files:
            state = "DAMAGED" if BLOBS + file.hex in text else "ok"
            print(f"  {state:<7}  {shown(file.role):<13}  {file.size:>15}  {file.hex}  {shown(file.title)}")
    for problem in text.splitlines():
        print(f"DAMAGED  {shown(problem)}")
    print(f"{len(models)} model{'s' * (len(models) != 1)}: {'damaged' if problems else 'all as it was made'}")
    return 1 if problems else 0
