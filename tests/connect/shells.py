"""Configurations that are shell scripts, run with a stand-in for the program that they start."""

from __future__ import annotations

import subprocess
from pathlib import Path


def run(text: str, program: str, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Return the arguments and the environment with which a script starts ``program``."""
    stand_in = folder / program
    stand_in.write_text(
        '#!/bin/sh\nfor word in "$@"; do printf "%s\\0" "$word"; done\nprintf "ENVIRONMENT\\0"\nenv -0\n'
    )
    stand_in.chmod(0o755)
    environment = {"PATH": f"{folder}:/usr/bin:/bin"}
    done = subprocess.run(["sh", "-eu"], input=text, env=environment, check=True, capture_output=True, text=True)
    words, _, variables = done.stdout.partition("ENVIRONMENT\0")
    pairs = (line.partition("=") for line in variables.split("\0") if line)
    return words.split("\0"), {name: value for name, _, value in pairs}
