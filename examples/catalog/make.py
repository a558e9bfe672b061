"""Make a small catalog to try the gates on: ``python examples/catalog/make.py FOLDER [--gemma FILE]``.

Tiny-chat in F16, Q8_0 and Q4_K_M, which are sound, and three files with a fault each, which Assay must reject for just
that fault. With gemma-3-270m (Q4_K_M; ``nox -s real`` fetches it) a base model too, which completes text and is asked for
nothing else. Needs this repository (for the faults, ``tests/zoo.py``) and its engine (for the quantization).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from pipeline.runtime.build import EngineBuild, find_engine  # noqa: E402
from tests import zoo  # noqa: E402

SOUND = {"tiny-f16": "f16", "tiny-q8": "q8_0", "tiny-q4": "q4_k_m"}
FAULTY = {
    "wrong-eos": "eos-is-a-word",
    "loses-results": "template-drops-results",
    "no-template": "no-template",
}
"""The names of faulty models, and their faults in the zoo."""
GEMMA = ROOT / "models/real/gemma-3-270m-q4_k_m.gguf"
BASE = "gemma-3-270m"

SPEC = """\
name: {name}
source: file:../models/{name}.gguf
license: {{allow: [apache-2.0]}}
engine: {{context: 1024, slots: 2, threads: 1}}
sampling: {{max_tokens: 128}}
bench: {{prefill: [64], decode: [16], repetitions: 3, budget: {budget}, streams: [1], requests: 2, max_tokens: 16}}
{tests}"""
SOUND_TESTS = """\
checks: [stop-tokens, tool-calling]
evals: [tiny-facts{more}]
{reference}gates:
  lint: info
  checks: [stop_tokens, {{group: tool_calling, rate: 0.75}}]
  metrics:
    tiny-facts.acc: {{min: 0.85}}
"""
FAULTY_TESTS = """\
checks: [stop-tokens]
gates:
  lint: info
  checks: [stop_tokens]
"""
BASE_SPEC = """\
# A base model: it completes text. It has no chat template and needs none, and nothing asks it to chat or to call tools.
name: {name}
source: file:../models/{name}.gguf
profile: completion
license: {{allow: [gemma]}}
engine: {{context: 1024, slots: 2, threads: 2}}
evals: [general-choice, plain-text]
bench: {{prefill: [64], decode: [16], repetitions: 3, budget: {budget}, streams: [1], requests: 2, max_tokens: 16}}
gates:
  lint: warning
  metrics:
    general-choice.acc: {{min: 0.55}}
    plain-text.perplexity: {{max: 40}}
"""
POLICY = """\
# What every model of this catalog must show, whatever its own spec asks.
license: {required: true, allow: [apache-2.0, gemma]}
provenance: {sources: [file]}
lint: warning
"""
KL = """\
kind: kl_divergence
version: "1"
license: CC0-1.0
source: the text of the suite plain-text
description: How far a quantized model is from the F16 file that it was made of.
text: text.txt
context: 128
"""


def make(folder: Path, engine: EngineBuild, *, gemma: Path | None = None, budget: float = 5) -> list[str]:
    """Write the project; returns the names of its models, the reference of the others first. ``gemma`` is the file of
    gemma-3-270m, None where there is none; ``budget`` is that of benchmarks, in seconds.
    """
    for name in ("specs", "models", "evals/kl"):
        (folder / name).mkdir(parents=True)
    for suite in ("stop-tokens", "tool-calling", "tiny-facts", *(("general-choice", "plain-text") if gemma else ())):
        shutil.copytree(ROOT / "evals" / suite, folder / "evals" / suite)
    shutil.copy(ROOT / "evals/plain-text/text.txt", folder / "evals/kl/text.txt")
    (folder / "evals/kl/suite.yaml").write_text(KL)
    (folder / "specs/policy.yaml").write_text(POLICY)
    given = ROOT / "models/tiny-chat"
    shutil.copy(given / "tiny-chat-f16.gguf", folder / "models/tiny-f16.gguf")
    shutil.copy(given / "tiny-chat-q8_0.gguf", folder / "models/tiny-q8.gguf")
    source, made = folder / "models/tiny-f16.gguf", folder / "models/tiny-q4.gguf"
    quantize = [str(engine.tool("llama-quantize")), str(source), str(made), SOUND["tiny-q4"]]
    subprocess.run(quantize, env=engine.environment, check=True, capture_output=True)
    for name, fault in FAULTY.items():
        zoo.DEFECTS[fault].make(folder / "models" / f"{name}.gguf")
    for name in (*SOUND, *FAULTY):
        quantized = name in SOUND and name != "tiny-f16"
        more, reference = (", kl", "reference: tiny-f16\n") if quantized else ("", "")
        tests = SOUND_TESTS.format(more=more, reference=reference) if name in SOUND else FAULTY_TESTS
        text = SPEC.format(name=name, tests=tests, budget=f"{budget:g}")
        (folder / "specs" / f"{name}.yaml").write_text(text)
    if gemma:
        (folder / f"specs/{BASE}.yaml").write_text(BASE_SPEC.format(name=BASE, budget=f"{budget:g}"))
        _lend(gemma, folder / f"models/{BASE}.gguf")
    return [*SOUND, *FAULTY, *([BASE] if gemma else [])]


def _lend(file: Path, place: Path) -> None:
    """Put a large file into the project: the same bytes on disk where that can be, else a copy."""
    try:
        os.link(file, place)
    except OSError:
        shutil.copy(file, place)


def main() -> None:
    """Make the project where the command line says."""
    parser = argparse.ArgumentParser(description="Make a small catalog to try the gates on.")
    parser.add_argument("folder", type=Path, help="a new folder")
    parser.add_argument(
        "--gemma", type=Path, metavar="FILE", help="gemma-3-270m in Q4_K_M; models/real/ is looked at too"
    )
    parser.add_argument("--budget", type=float, default=5, metavar="SECONDS", help="for the repetitions of a benchmark")
    given = parser.parse_args()
    gemma: Path | None = given.gemma or (GEMMA if GEMMA.is_file() else None)
    if gemma and not gemma.is_file():
        parser.error(f"there is no file {gemma}")
    if (given.folder / "specs").exists():
        parser.error(f"{given.folder} holds specs already: name a new folder")
    names = make(given.folder, find_engine(), gemma=gemma, budget=given.budget)
    told = "" if gemma else f"without {BASE}: nox -s real fetches it, or name it by --gemma\n"
    print(f"{given.folder}: {', '.join(names)}\n{told}  -> cd {given.folder} && assay lock && assay run; assay report")


if __name__ == "__main__":
    main()
