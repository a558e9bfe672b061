"""Make a small catalog to try the gates on: ``python examples/catalog/make.py FOLDER``.

Six models: tiny-chat in F16, Q8_0 and Q4_K_M, which are sound, and three files with a fault each, which Assay must reject
for just that fault. Needs this repository (for the faults, ``tests/zoo.py``) and its engine (for the quantization).
"""

from __future__ import annotations

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
POLICY = """\
# What every model of this catalog must show, whatever its own spec asks.
license: {required: true, allow: [apache-2.0]}
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


def make(folder: Path, engine: EngineBuild, *, budget: float = 5) -> list[str]:
    """Write the project; returns the names of its models, the reference of the others first. ``budget`` is that of
    benchmarks, in seconds.
    """
    for name in ("specs", "models", "evals/kl"):
        (folder / name).mkdir(parents=True)
    for suite in ("stop-tokens", "tool-calling", "tiny-facts"):
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
    return [*SOUND, *FAULTY]


if __name__ == "__main__":
    target = Path(sys.argv[1])
    names = make(target, find_engine())
    print(f"{target}: {', '.join(names)}\n  -> cd {target} && assay lock && assay run; assay catalog; assay report")
